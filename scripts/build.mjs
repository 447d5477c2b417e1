import { installAndBuild } from './set-up.mjs';

installAndBuild();
