// src → dist, three ways. docs/decisions/0032 and 0074 say why.
// - One file per command and shared chunks. What many starts load (our code, and the packages named below) is bundled, because finding some
//   hundreds of small files is most of a command's start; every other package stays where npm put it.
// - quick/: one file each for the commands that are started most, as a CommonJS script, of which V8's compiled form can be kept.
// - start.cjs, which chooses.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const bundled = new Set([
  '@modelcontextprotocol/server',
  '@oclif/core',
  'zod',
  'fastify',
  'ink',
  'jose',
  'pg',
  'pino',
  'react',
  'ws',
  'yaml',
]);
const commands = readdirSync(join(root, 'src/commands'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.tsx?$/.test(name),
);

/** Source of a command → its id, which is also the name of its quick bundle. `src/start.ts` names them too. */
const quick = { 'connect.ts': 'connect', 'mcp.ts': 'mcp', 'run.ts': 'run', 'sessions/index.ts': 'sessions' };
/** Quick bundles import these from dist: ink waits at its top level, which a script cannot. */
const drawing = ['ui/load-ink.ts', 'ui/connect-status.tsx'];

// Beside the old one, which somebody may be running.
const fresh = join(root, '.cache', `dist-${process.pid}`);
const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  jsx: 'automatic',
  // Names stay, so that a stack in a bug report can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  // React has a second build for its developers.
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
};
const external = [
  ...Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !bundled.has(name)),
  // Asked for by oclif only where commands are TypeScript.
  'typescript',
  'ts-node',
  // Asked for by pg only where somebody wants libpq, or is in a Cloudflare worker.
  'pg-native',
  'pg-cloudflare',
  // Asked for by Ink only where DEV is true.
  'react-devtools-core',
];
await build({
  ...shared,
  entryPoints: ['run-any.ts', ...drawing, ...commands.map((name) => `commands/${name}`)].map((name) => `src/${name}`),
  outbase: 'src',
  outdir: fresh,
  splitting: true,
  format: 'esm',
  external,
  // oclif is CommonJS and calls require() for Node's modules.
  banner: { js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);" },
});
await build({
  ...shared,
  entryPoints: ['src/start.ts'],
  outfile: join(fresh, 'start.cjs'),
  format: 'cjs',
  plugins: [fromDist(['run-any.ts'], '.')],
});
for (const [file, name] of Object.entries(quick)) await buildQuick(file, name);
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(fresh, join(root, 'dist'));

async function buildQuick(file, name) {
  const { outputFiles, metafile } = await build({
    ...shared,
    stdin: {
      contents: `import { runQuick } from './run-quick.ts';
import command from './commands/${file}';
export const run = runQuick(${JSON.stringify(name)}, command);`,
      resolveDir: join(root, 'src'),
      loader: 'ts',
    },
    outfile: join(fresh, `quick/${name}.cjs`),
    format: 'cjs',
    // A package that is an ES module cannot be required everywhere.
    external: external.filter((one) => !['chalk', 'openid-client'].includes(one)),
    plugins: [fromDist(drawing, '.'), schemasAreValues(), withoutFinding()],
    metafile: true,
    write: false,
  });
  let code = Buffer.from(outputFiles[0].contents).toString('utf8');
  // A script has no import(): loadCompiled gives it one, that of dist/start.cjs.
  const { imports } = Object.values(metafile.outputs)[0];
  for (const { path } of imports.filter((one) => one.external && one.kind === 'dynamic-import')) {
    const written = `import(${JSON.stringify(path)})`;
    if (!code.includes(written)) throw new Error(`${name}: ${written} is not there as esbuild writes it`);
    code = code.replaceAll(written, `importModule(${JSON.stringify(path)})`);
  }
  // Node reads a file of nothing but ASCII five times as fast, and V8 keeps it in half the memory.
  code = code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  mkdirSync(join(fresh, 'quick'), { recursive: true });
  writeFileSync(join(fresh, `quick/${name}.cjs`), `//${createHash('sha256').update(code).digest('hex')}\n${code}`);
}

/** Imports of these files of src go to what dist has of them. */
function fromDist(files, folder) {
  return {
    name: 'from-dist',
    setup(plugin) {
      plugin.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir, kind }) => {
        const file = relative(join(root, 'src'), join(resolveDir, path)).replaceAll('\\', '/');
        if (kind !== 'dynamic-import' || !files.includes(file)) return undefined;
        return { path: `${folder}/${file.replace(/\.tsx?$/, '.js')}`, external: true };
      });
    },
  };
}

/** Making a schema does nothing else: one that a command does not use is left out. (`z.config` does something.) */
function schemasAreValues() {
  return {
    name: 'schemas-are-values',
    setup(plugin) {
      plugin.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
        const contents = readFileSync(path, 'utf8');
        if (!contents.includes("from 'zod'")) return undefined;
        const calls = /\b(?:z\s*\.(?:coerce\.)?(?!config\b)|\w+Schema\.(?=default|extend|optional|nullable))\w+\(/g;
        return { contents: contents.replaceAll(calls, '/* @__PURE__ */ $&'), loader: 'ts' };
      });
    },
  };
}

/** What of oclif finds commands and draws help is not reached by a command that is known, and is a sixth of its start. */
function withoutFinding() {
  const left = ['config/index', 'help/index', 'errors/handle', 'ux/action/spinner', 'ux/colorize-json'];
  return {
    name: 'without-finding',
    setup(plugin) {
      const found = new Set();
      plugin.onLoad({ filter: /@oclif[\\/]core[\\/]lib[\\/]/ }, ({ path }) => {
        const name = left.find((one) => path.replaceAll('\\', '/').endsWith(`/lib/${one}.js`));
        if (name === undefined) return undefined;
        found.add(name);
        return { contents: 'module.exports = class {};' };
      });
      plugin.onEnd(() => {
        for (const name of left) if (!found.has(name)) throw new Error(`oclif has no ${name} any more`);
      });
    },
  };
}
