import { Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

export default class AgentStart extends BaseCommand<typeof AgentStart> {
  static override summary = 'Run an agent beside resources: it dials out to the gateway and holds their credentials.';
  static override description =
    'Runs in the foreground until SIGTERM or Ctrl-C. The first start needs --join with a token of `hoop agents create`; it makes the agent’s key, which the gateway pins.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --gateway http://127.0.0.1:8009 --join TOKEN --config agent.yaml',
    '<%= config.bin %> <%= command.id %> --config agent.yaml',
  ];
  static override flags = {
    config: Flags.file({ description: 'agent configuration', default: 'agent.yaml' }),
    join: Flags.string({ description: 'join token, on first start only', env: 'HOOP_JOIN_TOKEN' }),
    'log-level': Flags.option({ description: 'how much it says', options: logLevels, default: 'info' })(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(AgentStart);
    const { openOperatorLog } = await import('../../ui/operator-log.ts');
    const { runAgentProcess } = await import('../../agent/run-agent-process.ts');
    await runAgentProcess({
      configFile: flags.config,
      gateway: flags.gateway,
      joinToken: flags.join,
      caFile: flags['ca-file'],
      log: openOperatorLog('agent', flags['log-level'], process.stderr),
    });
  }
}
