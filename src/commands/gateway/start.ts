import { Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';

export default class GatewayStart extends BaseCommand<typeof GatewayStart> {
  static override summary = 'Run a gateway: sign-in, record, forward.';
  static override description =
    'Runs in the foreground until SIGTERM or Ctrl-C, then lets running statements finish and seals the recordings. The first start prints a one-time link that makes you admin. With --agent it serves resources of this machine itself; that agent is recorded as colocated and witnesses nothing.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --data-dir ./gw --listen 127.0.0.1:8009',
    '<%= config.bin %> <%= command.id %> --data-dir ./gw --agent agent.yaml',
    '<%= config.bin %> <%= command.id %> --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --public-url https://hoop.example.com:8443',
  ];
  static override flags = {
    config: Flags.file({ description: 'configuration file (default: hoop.yaml, if there is one)' }),
    'data-dir': Flags.directory({ description: 'folder of journal, recordings, registry and catalog' }),
    agent: Flags.file({ description: 'agent.yaml of resources to serve in this very process' }),
    listen: Flags.string({ description: 'host:port' }),
    'public-url': Flags.string({ description: 'how clients and browsers reach the gateway' }),
    'tls-cert': Flags.file({ description: 'certificate chain (PEM)' }),
    'tls-key': Flags.file({ description: 'private key (PEM)' }),
    'behind-proxy': Flags.boolean({ description: 'a proxy in front ends TLS; believe its X-Forwarded-* headers' }),
    'log-level': Flags.string({ description: 'debug, info, warn, error or silent' }),
    'message-bytes-max': Flags.integer({ description: 'largest message of a resource’s protocol, in bytes' }),
    session: Flags.string({
      description:
        'how long a session lives at most after its approval: 8h (default: no bound; idle time in hoop.yaml)',
    }),
    retention: Flags.string({
      description:
        'how long recordings are kept after their end: 90d, 52w (default: for ever; by resource in hoop.yaml)',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(GatewayStart);
    const { openOperatorLog } = await import('../../ui/operator-log.ts');
    const { runGateway } = await import('../../gateway/run-gateway.ts');
    await runGateway({
      file: flags.config,
      flags: {
        dataDir: flags['data-dir'],
        agent: flags.agent,
        listen: flags.listen,
        publicUrl: flags['public-url'],
        tlsCert: flags['tls-cert'],
        tlsKey: flags['tls-key'],
        behindProxy: flags['behind-proxy'],
        logLevel: flags['log-level'],
        messageBytesMax: flags['message-bytes-max'],
        retention: flags.retention,
        session: flags.session,
      },
      say: (line) => this.logToStderr(line),
      openLog: (role, level) => openOperatorLog(role, level, process.stderr),
      openAgent: async (...given) => {
        const { openColocatedAgent } = await import('../../agent/colocated-agent.ts');
        return openColocatedAgent(...given);
      },
    });
  }
}
