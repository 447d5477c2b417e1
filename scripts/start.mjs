// `npm start`: whatever is missing, then the demo. Arguments go to `hoop demo`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { installAndBuild, root } from './set-up.mjs';

installAndBuild();
const demo = spawn(process.execPath, [join(root, 'bin/run.js'), 'demo', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal));
demo.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
