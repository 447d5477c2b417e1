import * as Flags from '@oclif/core/flags';

/** Of commands whose text may be longer than the screen. */
export const pagerFlag = {
  pager: Flags.boolean({
    description: 'on a terminal show what is longer than the screen in a pager (HOOP_PAGER, PAGER, less)',
    default: true,
    allowNo: true,
  }),
};
