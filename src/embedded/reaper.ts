/**
 * A process of its own, alone in its session: it outlives a stack that was killed without a chance to clean up, ends
 * the stack's children, and leaves. It is told by lines on its standard input; the end of that input is the stack's death.
 */
import { createInterface } from 'node:readline';
import { endProcess, type ProcessIdentity } from './processes';

export type ReaperOrder =
  { add: ProcessIdentity & { stopSignals: NodeJS.Signals[] } } | { remove: number } | { leave: true };

const graceMs = 8_000;

export const runReaper = (): void => {
  const watched = new Map<number, ProcessIdentity & { stopSignals: NodeJS.Signals[] }>();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const order = JSON.parse(line) as ReaperOrder;
    if ('add' in order) watched.set(order.add.pid, order.add);
    if ('remove' in order) watched.delete(order.remove);
    if ('leave' in order) process.exit(0);
  });
  lines.on('close', () => {
    const ended = [...watched.values()].map((child) => endProcess(child, [...child.stopSignals, 'SIGKILL'], graceMs));
    void Promise.all(ended).then(() => process.exit(0));
  });
  // A signal to the terminal's group or an impatient user must not take the last safety away.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
};

if (require.main === module) runReaper();
