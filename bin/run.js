#!/usr/bin/env node
import { runCli } from '../dist/run-cli.js';

await runCli(import.meta.url);
