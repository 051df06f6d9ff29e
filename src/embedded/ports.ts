import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { errorCode, StackError } from './stack-error';

/** Empty: free. Otherwise the system's code, `EADDRINUSE` mostly. */
const probePort = (port: number, host: string): Promise<string> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error) => resolve(errorCode(error)));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve('')));
  });

const isPortFree = async (port: number): Promise<boolean> => (await probePort(port, '127.0.0.1')) === '';

// Below every system's range for outgoing connections (Linux from 32768): a kept port must still be free after a crash.
const lowestPort = 20_000;
const highestPort = 32_000;

/** The preferred one if free, so that what was recorded with it stays true; else any free one not in `taken`. */
export const choosePort = async (preferred: number | null, taken: ReadonlySet<number>): Promise<number> => {
  if (preferred !== null && !taken.has(preferred) && (await isPortFree(preferred))) return preferred;
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(lowestPort, highestPort);
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new StackError(`no free port was found between ${lowestPort} and ${highestPort}`);
};

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken',
  EACCES: 'needs more rights than this user has',
  EADDRNOTAVAIL: 'cannot be opened: HOST is no address of this machine',
  ENOTFOUND: 'cannot be opened: HOST is no address of this machine',
};

/** The user's own port is never replaced silently: a client configured with it would talk to a stranger. */
export const requirePort = async (port: number, host: string): Promise<void> => {
  const problem = await probePort(port, host);
  if (problem === '') return;
  const reason = reasons[problem] ?? `cannot be opened (${problem})`;
  throw new StackError(`port ${port} on ${host} ${reason}: stop what uses it, or set PORT (and HOST) to another one`);
};
