import * as Flags from '@oclif/core/flags';

const helpGroup = 'RUN AGAIN';
const dependsOn = ['into'];

/** Of `hoop replay`, for running a session again. */
export const rerunFlags = {
  into: Flags.string({
    description: 'run the statements again here, and compare: a resource marked as sandbox, or a DSN with --sandbox',
    helpValue: 'RESOURCE|DSN',
    helpGroup,
    exclusive: ['format', 'stream'],
  }),
  until: Flags.integer({
    description: 'stop before this statement, so that the target is as it was before it',
    helpValue: 'SEQ',
    min: 1,
    helpGroup,
    dependsOn,
  }),
  'dry-run': Flags.boolean({ description: 'show what would be run; connect to nothing', helpGroup, dependsOn }),
  report: Flags.option({
    description: 'the whole comparison on stdout, as one JSON document or one page',
    options: ['json', 'html'] as const,
    helpGroup,
    dependsOn,
  })(),
  'skip-withheld': Flags.boolean({
    description: 'leave out statements whose words were withheld from the record or erased',
    helpGroup,
    dependsOn,
  }),
  sandbox: Flags.boolean({ description: 'the DSN is one where anything may be run', helpGroup, dependsOn }),
  force: Flags.boolean({
    description: 'also where it was recorded, or where nothing is marked; with --confirm',
    helpGroup,
    dependsOn,
  }),
  confirm: Flags.string({
    description: 'the name of the target again, for --force (at a terminal it is asked for)',
    helpValue: 'NAME',
    helpGroup,
    dependsOn,
  }),
};

export interface RerunFlags {
  into: string;
  until?: number | undefined;
  'dry-run'?: boolean;
  report?: 'json' | 'html' | undefined;
  'skip-withheld'?: boolean;
  sandbox?: boolean;
  force?: boolean;
  confirm?: string | undefined;
  'ca-file'?: string | undefined;
}
