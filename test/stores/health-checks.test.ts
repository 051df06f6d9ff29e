import { listAccepting, listHealthChecks, recordHealthCheck } from '../../src/stores/health-checks';
import { accept, openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

const well = { provider: 'acme', credential: 'main', model: null, code: null, latencyMs: 20 } as const;

test('the last check of each provider is kept, with how many have failed in a row', async () => {
  const { database } = ledger;
  const failures = async () => (await listHealthChecks(database)).map((check) => check.failures);
  await recordHealthCheck(database, well);
  expect(await failures()).toEqual([0]);
  await recordHealthCheck(database, { ...well, code: 'provider_timeout' });
  await recordHealthCheck(database, { ...well, code: 'provider_auth', credential: 'spare', latencyMs: 5 });
  expect(await listHealthChecks(database)).toEqual([
    {
      ...{ provider: 'acme', credential: 'spare', model: null, code: 'provider_auth', latencyMs: 5, failures: 2 },
      at: expect.any(Date),
    },
  ]);
  await recordHealthCheck(database, well);
  expect(await failures()).toEqual([0]);
});

test('a first check that fails is the first failure', async () => {
  await recordHealthCheck(ledger.database, { ...well, code: 'provider_timeout', model: 'clip-1' });
  expect(await listHealthChecks(ledger.database)).toMatchObject([{ failures: 1, model: 'clip-1' }]);
});

test('who has accepted work of late is known', async () => {
  const generationId = await accept(ledger.database);
  const send = (number: number, provider: string, outcome: string | null, agoMs: number) => ({
    ...{ generationId, number, epoch: 1, provider, credential: 'main', model: `${provider}/clip`, outcome },
    at: new Date(Date.now() - agoMs),
  });
  await ledger.database.send.createMany({
    data: [
      send(1, 'acme', 'accepted', 30_000),
      send(2, 'brick', 'accepted', 90_000),
      send(3, 'cloud', 'provider_overloaded', 1_000),
      send(4, 'delta', null, 1_000),
    ],
  });
  expect([...(await listAccepting(ledger.database, 60))]).toEqual(['acme']);
  expect([...(await listAccepting(ledger.database, 120))].sort()).toEqual(['acme', 'brick']);
});
