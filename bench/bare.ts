import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Client } from '@temporalio/client';
import type { bareParent } from './bare-workflows';

export type Bare = { pid: number; execute: () => Promise<void>; stop: () => Promise<void> };

/** The yardstick's worker, on the same server as ours. */
export const startBare = async (client: Client, address: string): Promise<Bare> => {
  const worker = fork(require.resolve('./bare-worker'), [address], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  await Promise.race([
    once(worker, 'message'),
    once(worker, 'exit').then(() => Promise.reject(new Error("the yardstick's worker did not start"))),
  ]);
  return {
    pid: worker.pid ?? 0,
    execute: () =>
      client.workflow.execute<typeof bareParent>('bareParent', {
        taskQueue: 'bare',
        workflowId: `bare/${randomUUID()}`,
      }),
    stop: async () => {
      const exited = once(worker, 'exit');
      worker.disconnect();
      await exited;
    },
  };
};
