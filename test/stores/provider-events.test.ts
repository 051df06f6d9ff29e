import { setTimeout as pause } from 'node:timers/promises';
import { inTransaction } from '../../src/stores/database';
import { appendProviderEvent, listProviderEvents, type ProviderEvent } from '../../src/stores/provider-events';
import { openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

beforeEach(() => ledger.database.providerEvent.deleteMany());

const append = (provider: string, number: number) =>
  appendProviderEvent(ledger.database, { provider, type: 'provider.paused', data: { number } });

const numbersOf = (events: readonly ProviderEvent[]): unknown[] => events.map(({ data }) => data['number']);

type Query = Parameters<typeof listProviderEvents>[1];

/** As many as there are, once nobody is writing any more. */
const list = async (query: Query, count: number): Promise<ProviderEvent[]> => {
  for (;;) {
    const events = await listProviderEvents(ledger.database, query);
    if (events.length >= count) return events;
    await pause(5);
  }
};

test('an event is told as it was written', async () => {
  const subject = { provider: 'acme', credential: 'main', model: 'acme/clip' };
  await appendProviderEvent(ledger.database, { ...subject, type: 'breaker.opened', data: { openings: 1 } });
  await appendProviderEvent(ledger.database, { provider: 'acme', type: 'provider.resumed', data: {} });
  const [first, second] = await list({ limit: 10 }, 2);
  const told = { id: expect.stringMatching(/^\d+$/), at: expect.any(Date) };
  expect(first).toEqual({ ...told, ...subject, type: 'breaker.opened', data: { openings: 1 } });
  expect(second).toEqual({
    ...told,
    ...{ provider: 'acme', credential: null, model: null, type: 'provider.resumed', data: {} },
  });
});

test('the latest come first to hand, and each cursor goes on from there', async () => {
  for (let number = 1; number <= 7; number += 1) await append(number % 2 ? 'acme' : 'brick', number);
  await list({ limit: 10 }, 7);
  expect(numbersOf(await list({ limit: 3 }, 3))).toEqual([5, 6, 7]);
  expect(numbersOf(await list({ limit: 2, provider: 'acme' }, 2))).toEqual([5, 7]);
  const [first] = await list({ limit: 10 }, 7);
  const after = first?.id ?? '';
  expect(numbersOf(await list({ limit: 3, after }, 3))).toEqual([2, 3, 4]);
  expect(numbersOf(await list({ limit: 10, after, provider: 'brick' }, 3))).toEqual([2, 4, 6]);
});

test('what is undone with its transaction was never there', async () => {
  const undone = inTransaction(ledger.database, async (transaction) => {
    await appendProviderEvent(transaction, { provider: 'acme', type: 'provider.paused', data: { number: 1 } });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  await append('acme', 2);
  expect(numbersOf(await list({ limit: 10 }, 1))).toEqual([2]);
});

test('a later number is not told before an earlier one that is still being written', async () => {
  await append('acme', 0);
  const [zero] = await list({ limit: 10 }, 1);
  const after = zero?.id ?? '';
  await inTransaction(ledger.database, async (transaction) => {
    await appendProviderEvent(transaction, { provider: 'acme', type: 'provider.paused', data: { number: 1 } });
    await append('acme', 2);
    expect(await listProviderEvents(ledger.database, { limit: 10, after })).toEqual([]);
  });
  expect(numbersOf(await list({ limit: 10, after }, 2))).toEqual([1, 2]);
});

test('whoever reads on while many write misses nothing', async () => {
  const writers = 8;
  const each = 12;
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; count < each; count += 1)
      await inTransaction(ledger.database, async (transaction) => {
        const number = writer * each + count;
        await appendProviderEvent(transaction, { provider: 'acme', type: 'provider.paused', data: { number } });
        // some are written long before they are seen
        await transaction.$executeRaw`SELECT pg_sleep(${(number % 4) / 100}::float8)`;
      });
  };
  const seen: ProviderEvent[] = [];
  const read = async (): Promise<void> => {
    while (seen.length < writers * each) {
      seen.push(...(await listProviderEvents(ledger.database, { limit: 5, after: seen.at(-1)?.id ?? '0' })));
    }
  };
  await Promise.all([...Array.from({ length: writers }, (_item, writer) => write(writer)), read()]);
  expect(new Set(numbersOf(seen)).size).toBe(writers * each);
  expect(seen.map(({ id }) => Number(id))).toEqual(
    seen.map(({ id }) => Number(id)).sort((left, right) => left - right),
  );
});
