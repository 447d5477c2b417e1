#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const root = dirname(__dirname);
const start = join(root, 'dist/start.cjs');
if (existsSync(start)) {
  require(start).start(root);
} else {
  process.stderr.write(`hoop: ${root} is not built yet\n      run: npm run build\n`);
  process.exitCode = 1;
}
