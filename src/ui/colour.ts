import chalk from 'chalk';

// https://no-color.org: chalk 5 does not look at it. ink draws with this same chalk.
if (process.env['NO_COLOR']) chalk.level = 0;

export { default as chalk } from 'chalk';
