import { setTimeout as pause } from 'node:timers/promises';
import type { Wish } from './load';
import type { Random } from './random';
import type { Tree } from './tree';

/** What the clients were told. */
export type Answers = {
  /** By key, every id that was ever answered: one, if nothing is doubled. */
  ids: Map<string, Set<string>>;
  /** Answers no client can be expected to understand. */
  oddities: string[];
  /** How often a request had to be repeated. */
  repeats: number;
};

export type Clients = {
  answers: Answers;
  /** Repeats the request, at another API each time, until it is accepted. */
  submit(wish: Wish): Promise<string>;
  /** Any other request, repeated until it is answered. */
  ask(target: string, init?: { method?: string; body?: unknown; key?: string }): Promise<Response>;
};

const againMs = 150;
const patienceMs = 10_000;

/** Whether another try may help: what is said while a process starts, stops or waits for the database. */
const passes = (status: number): boolean => status >= 500 || status === 429 || status === 408;

export const createClients = ({ apiUrls, apiKey }: Pick<Tree, 'apiUrls' | 'apiKey'>, random: Random): Clients => {
  const answers: Answers = { ids: new Map(), oddities: [], repeats: 0 };

  const askOnce = (target: string, init: { method?: string; body?: unknown; key?: string }): Promise<Response> =>
    fetch(`${random.pick(apiUrls)}${target}`, {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        ...(init.key !== undefined && { 'idempotency-key': init.key }),
      },
      ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
      signal: AbortSignal.timeout(patienceMs),
    });

  const ask: Clients['ask'] = async (target, init = {}) => {
    for (;;) {
      try {
        const response = await askOnce(target, init);
        if (!passes(response.status)) return response;
        await response.arrayBuffer();
      } catch {
        // it died before or in the middle of its answer
      }
      answers.repeats += 1;
      await pause(againMs);
    }
  };

  const submitOnce = async ({ key, body }: Wish): Promise<string> => {
    for (;;) {
      const response = await ask('/v1/generations', { method: 'POST', body, key });
      try {
        const answer = (await response.json()) as { id?: string };
        if (response.ok && answer.id !== undefined) return answer.id;
        answers.oddities.push(`${key}: ${response.status} ${JSON.stringify(answer)}`);
        return '';
      } catch {
        answers.repeats += 1;
      }
    }
  };

  return {
    answers,
    ask,
    submit: async (wish) => {
      const sent = wish.isSentTwice ? [submitOnce(wish), submitOnce(wish)] : [submitOnce(wish)];
      const ids = (await Promise.all(sent)).filter((id) => id !== '');
      answers.ids.set(wish.key, new Set(ids));
      return ids[0] ?? '';
    },
  };
};

/** Sends all of it at its time, cancels what is to be cancelled, and returns when every request was accepted. */
export const sendLoad = async (clients: Clients, wishes: readonly Wish[]): Promise<void> => {
  const startedAt = Date.now();
  const cancels: Promise<unknown>[] = [];
  const cancel = async (id: string, afterMs: number): Promise<void> => {
    await pause(afterMs);
    await clients.ask(`/v1/generations/${id}/cancel`, { method: 'POST' });
  };
  await Promise.all(
    wishes.map(async (wish) => {
      await pause(Math.max(0, startedAt + wish.atMs - Date.now()));
      const id = await clients.submit(wish);
      if (wish.cancelAfterMs !== null && id !== '') cancels.push(cancel(id, wish.cancelAfterMs));
    }),
  );
  await Promise.all(cancels);
};
