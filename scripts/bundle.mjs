// src → dist, one file per command and shared chunks. What many starts load (our code, and the packages named below) is bundled, because
// finding some hundreds of small files is most of a command's start; every other package stays where npm put it. See
// docs/decisions/0032.
import { readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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

// Beside the old one, which somebody may be running.
const fresh = join(root, '.cache', `dist-${process.pid}`);
await build({
  absWorkingDir: root,
  entryPoints: ['src/run-cli.ts', ...commands.map((name) => `src/commands/${name}`)],
  outbase: 'src',
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  jsx: 'automatic',
  // Names stay, so that a stack in a bug report can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  // React has a second build for its developers.
  define: { 'process.env.NODE_ENV': '"production"' },
  external: [
    ...Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !bundled.has(name)),
    // Asked for by oclif only where commands are TypeScript.
    'typescript',
    'ts-node',
    // Asked for by pg only where somebody wants libpq, or is in a Cloudflare worker.
    'pg-native',
    'pg-cloudflare',
    // Asked for by Ink only where DEV is true.
    'react-devtools-core',
  ],
  // oclif is CommonJS and calls require() for Node's modules.
  banner: { js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);" },
  logLevel: 'warning',
});
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(fresh, join(root, 'dist'));
