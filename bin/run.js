#!/usr/bin/env node
'use strict';
const { dirname } = require('node:path');

require('../dist/start.cjs').start(dirname(__dirname));
