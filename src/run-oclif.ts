// oclif is CommonJS: imported by name here, so that the bundler finds the name (decision 0032).
export { run } from '@oclif/core/run';
