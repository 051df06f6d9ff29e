import { eventually, startTestStack, type TestStack } from '../support/stack';

let system: TestStack;

beforeAll(async () => {
  system = await startTestStack({
    settings: 'health: { everySeconds: 5 }\nproviders: { groq: { healthCheck: false } }\npolling: { scale: 0.05 }\n',
  });
});

afterAll(() => system.stop());

type Provider = {
  id: string;
  health: { status: string; checkedAt: string | null; check: { at: string; ok: boolean; code: string | null } | null };
};

const providerOf = async (id: string): Promise<Provider | undefined> => {
  const answer = await system.call('/v1/providers');
  const { data } = (await answer.json()) as { data: Provider[] };
  return data.find((provider) => provider.id === id);
};

test('a provider that nobody uses is asked how it is, and one that shall not be asked is not', async () => {
  const fal = await eventually(async () => {
    const provider = await providerOf('fal');
    return provider?.health.check && provider;
  });
  expect(fal.health).toMatchObject({ status: 'healthy', check: { ok: true, code: null } });
  expect((await providerOf('groq'))?.health).toMatchObject({ status: 'unknown', check: null });
  expect((await system.ledger()).length).toBe(0);
});

test('one that does not answer is down, and healthy again when it does', async () => {
  await system.fault({ provider: 'runway', operation: 'other', kind: 'status', status: 500, times: null });
  const down = await eventually(async () => {
    const provider = await providerOf('runway');
    return provider?.health.status === 'down' && provider;
  });
  expect(down.health.check).toMatchObject({ ok: false, code: 'provider_server_error' });
  await system.clearFaults();
  await eventually(async () => (await providerOf('runway'))?.health.status === 'healthy');
});
