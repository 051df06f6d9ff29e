import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Client as Database } from 'pg';
import { startTestStack, type Resource, type TestStack } from '../test/support/stack';
import { startBare, type Bare } from './bare';

/** What a user starts, compiled, with a provider that answers at once; and the yardstick beside it. */
export type System = {
  stack: TestStack;
  client: Client;
  bare: Bare;
  /** Resolves when the generation has ended as stored; its duration there, in ms. Throws if it did not succeed. */
  generate: (body: Record<string, unknown>) => Promise<{ id: string; storedMs: number }>;
  /** As the caller sees it who waits for the answer, in ms. */
  generateWaiting: (body: Record<string, unknown>) => Promise<number>;
  stop: () => Promise<void>;
};

export const bodies = {
  text: { medium: 'text', model: 'mock/text', input: { prompt: 'Write a line about the sea.' } },
  'text by SDK': {
    medium: 'text',
    model: 'anthropic/claude-haiku-5-5',
    input: { prompt: 'Write a line about the sea.' },
  },
  video: { medium: 'video', model: 'mock/video', input: { prompt: 'a lighthouse in the fog' } },
} as const;

const settings = 'polling: { scale: 0.001 }\n';
const lookMs = 5;

export const startInstantStack = async (pieces?: Parameters<typeof startTestStack>[0]): Promise<TestStack> => {
  const stack = await startTestStack({ settings, ...pieces });
  await stack.settings({ latencyScale: 0 });
  return stack;
};

type Ended = { id: string; status: string; storedMs: number };

const terminal = "('succeeded', 'failed', 'canceled', 'expired')";

/** One look for all that are awaited, so that looking costs nearly nothing however many there are. */
const watchEnds = (database: Database) => {
  const awaited = new Map<string, (ended: Ended) => void>();
  let looking = false;
  const look = async (): Promise<void> => {
    looking = true;
    while (awaited.size > 0) {
      const { rows } = await database.query<Ended>(
        `SELECT id, status, extract(epoch FROM completed_at - created_at)::float8 * 1000 AS "storedMs"
         FROM generations WHERE id = ANY($1) AND status IN ${terminal}`,
        [[...awaited.keys()]],
      );
      for (const row of rows) {
        awaited.get(row.id)?.(row);
        awaited.delete(row.id);
      }
      await pause(lookMs);
    }
    looking = false;
  };
  return (id: string): Promise<Ended> =>
    new Promise((resolve, reject) => {
      awaited.set(id, resolve);
      if (!looking) look().catch(reject);
    });
};

const requireSuccess = ({ id, status }: { id: string; status: string }): void => {
  if (status !== 'succeeded') throw new Error(`generation ${id} ended as ${status}`);
};

export const startSystem = async (): Promise<System> => {
  const stack = await startInstantStack();
  const address = stack.stack.temporalAddress ?? '';
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const bare = await startBare(client, address);
  const database = new Database({ connectionString: stack.stack.databaseUrl ?? '', ssl: false });
  await database.connect();
  const ended = watchEnds(database);
  return {
    stack,
    client,
    bare,
    generate: async (body) => {
      const { id } = await stack.submit(body);
      const row = await ended(id);
      requireSuccess(row);
      return row;
    },
    generateWaiting: async (body) => {
      const startedAt = performance.now();
      const headers = { prefer: 'wait=60' };
      const response = await stack.call('/v1/generations', { method: 'POST', body, headers });
      requireSuccess((await response.json()) as Resource);
      return performance.now() - startedAt;
    },
    stop: async () => {
      await Promise.all([bare.stop(), database.end()]);
      await connection.close();
      await stack.stop();
    },
  };
};
