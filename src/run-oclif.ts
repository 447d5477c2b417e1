// oclif is CommonJS: imported by name here, so that the bundler finds the names (decision 0032).
import { run } from '@oclif/core/run';
import { settings } from '@oclif/core/settings';

// A developer's shell often has NODE_ENV=development or test; oclif would then load a TypeScript compiler, which takes 0.15 s.
settings.enableAutoTranspile = false;

export { run };
