import { listCallbacks, recordCallback } from '../../src/stores/provider-callbacks';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;
let generationId: string;

const attempt = (number: number, provider = 'acme') =>
  ledger.database.attempt.create({
    data: { generationId, number, provider, model: `${provider}/clip`, priceVersion: 'made up' },
  });

beforeEach(async () => {
  ledger = await openLedger();
  generationId = await accept(ledger.database);
  await attempt(1);
});

afterEach(() => ledger.close());

const headers = { 'webhook-id': 'msg_1' };
const record = (body: string, { number = 1, provider = 'acme' } = {}) =>
  recordCallback(ledger.database, { provider, generationId, number }, { headers, body });
const list = (number = 1) => listCallbacks(ledger.database, { generationId, number });

test('messages are listed by attempt, as they came and in their order', async () => {
  await attempt(2, 'brick');
  const bodies = ['{"b":1}', '{"a":2}', ' {"a":2}'];
  for (const body of bodies) expect(await record(body)).toBe('kept');
  expect(await record('other', { number: 2, provider: 'brick' })).toBe('kept');
  expect(await list()).toEqual(bodies.map((body) => ({ headers, body })));
  expect(await list(2)).toEqual([{ headers, body: 'other' }]);
  expect(await list(3)).toEqual([]);
});

test('a repetition is kept once, also when all come at the same time', async () => {
  const told = await Promise.all(Array.from({ length: 10 }, () => record('same')));
  expect(told.sort()).toEqual(['kept', ...Array<string>(9).fill('repeated')]);
  expect(await record('same')).toBe('repeated');
  expect(await list()).toHaveLength(1);
});

test('the same words about two attempts are two messages', async () => {
  await attempt(2);
  expect([await record('same'), await record('same', { number: 2 })]).toEqual(['kept', 'kept']);
});

test('no more than twenty are kept of an attempt, also when all come at the same time', async () => {
  const told = await Promise.all(Array.from({ length: 30 }, (_, index) => record(`message ${index}`)));
  expect(told.filter((answer) => answer === 'kept')).toHaveLength(20);
  expect(told.filter((answer) => answer === 'full')).toHaveLength(10);
  const [first] = await list();
  expect([await record('one more'), await record(first?.body ?? '')]).toEqual(['full', 'repeated']);
  expect(await list()).toHaveLength(20);
});

test.each([
  ['another attempt', { number: 2 }],
  ['another provider', { provider: 'brick' }],
])('a message about %s than there is is not kept', async (_what, address) => {
  expect(await record('lost', address)).toBe('unknown');
  expect(await ledger.database.providerCallback.count()).toBe(0);
});

test('what PostgreSQL cannot keep is left out', async () => {
  expect(await record('a\0b')).toBe('kept');
  expect((await list())[0]?.body).toBe('ab');
});
