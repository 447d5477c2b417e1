import * as Args from '@oclif/core/args';
import { BaseCommand } from '../base-command.ts';
import type { DoctorReport } from '../client/doctor/doctor.ts';

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override summary = 'Check the way to the record, and look for credentials that go around it.';
  static override description = `Is the gateway reachable, the clock right, somebody signed in, and where are the tokens; with a RESOURCE: does a statement that is sent
now stand in the record. Then it looks in this folder and in your own files (.env, mcp.json, docker-compose, ~/.pgpass, shell rc …) for
credentials of databases, which a coding agent could use without a record. Exit code 1 when something fails or is found.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> orders-db',
    '<%= config.bin %> <%= command.id %> --json',
  ];
  static override strict = false;
  static override enableJsonFlag = true;
  static override args = {
    resource: Args.string({ description: 'resource whose record is tried; several may be named' }),
  };

  async run(): Promise<DoctorReport> {
    const { argv, flags } = await this.parse(Doctor);
    const { runDoctor } = await import('../client/doctor/doctor.ts');
    const { checkLine, credentialLines } = await import('../ui/doctor.ts');
    const report = await runDoctor({
      gateway: () => this.gateway(flags),
      resources: argv as string[],
      caFile: flags['ca-file'],
      folder: process.cwd(),
      onCheck: (check) => this.log(checkLine(check)),
    });
    this.log(credentialLines(report.directCredentials));
    if (!report.healthy) process.exitCode = 1;
    return report;
  }
}
