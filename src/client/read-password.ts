import { UserError } from '../shared/errors.ts';

const bytesMax = 1000;

/** A password from stdin: all of it without the final newline; typed twice and unseen where stdin is a terminal. */
export async function readPassword(
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  name: string,
): Promise<string> {
  if (!input.isTTY) return readPiped(input);
  const password = await readUnseen(input, output, `Password for ${name}: `);
  const again = await readUnseen(input, output, 'Again: ');
  if (password === again) return password;
  throw new UserError('HOOP_USAGE', 'the two passwords differ', { next: 'run the command again' });
}

async function readPiped(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > bytesMax)
      throw new UserError('HOOP_USAGE', 'the password on stdin is too long', { next: 'pipe in one line' });
  }
  const password = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (password !== '' && !password.includes('\n')) return password;
  throw new UserError('HOOP_USAGE', 'stdin does not hold one password', { next: 'pipe in one line: the password' });
}

function readUnseen(input: NodeJS.ReadStream, output: NodeJS.WriteStream, prompt: string): Promise<string> {
  output.write(prompt);
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.resume();
  return new Promise((resolve) => {
    let typed = '';
    const done = () => {
      input.off('data', take);
      input.setRawMode(false);
      input.pause();
      output.write('\n');
    };
    const take = (text: string) => {
      for (const key of text) {
        if (key === '\u0003') {
          done();
          process.kill(process.pid, 'SIGINT'); // Ctrl-C: raw mode keeps the terminal from sending it
          return;
        }
        if (key === '\r' || key === '\n' || key === '\u0004') {
          done();
          return resolve(typed);
        }
        typed = key === '\u007F' || key === '\b' ? [...typed].slice(0, -1).join('') : typed + key;
      }
    };
    input.on('data', take);
  });
}
