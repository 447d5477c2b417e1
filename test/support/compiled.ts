import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Compiled {
  /** Where `src/` lies, as a URL that ends in a slash. */
  url: string;
  remove(): void;
}

/** Compiles folders of `src/` for child processes that plain node runs (to be killed, or traced), beside node_modules. */
export function compile(folders: string[]): Compiled {
  const out = join(root, '.cache', `compiled-${process.pid}-${Math.random().toString(36).slice(2)}`);
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const target = join(out, folder, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(
        target,
        ts.transpileModule(readFileSync(join(root, folder, name), 'utf8'), { compilerOptions }).outputText,
      );
    }
  }
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  return {
    url: `${pathToFileURL(out).href}/`,
    remove: () => rmSync(out, { recursive: true, force: true }),
  };
}

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};
