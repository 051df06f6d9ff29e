import { settleGeneration } from '../../src/activities/settlement';
import type { AttemptStatus } from '../../src/domain/generation';
import { begin } from '../stores/ledger';
import { openActivityBench, type ActivityBench } from '../support/activity-bench';

let bench: ActivityBench;

beforeAll(async () => {
  bench = await openActivityBench([], []);
});

afterAll(() => bench.close());

type Attempt = {
  model: string;
  status?: AttemptStatus;
  errorCode?: string;
  errorMessage?: string;
  supersededBy?: number;
};

const secret = 'the provider says: key sk_live_0123 at https://api.example.com/v1?token=9 is wrong';

const settle = async (...attempts: Attempt[]) => {
  const { database } = bench.dependencies;
  const generationId = await begin(database);
  await database.attempt.createMany({
    data: attempts.map(({ status = 'rejected', ...attempt }, index) => ({
      ...{ generationId, number: index + 1, provider: attempt.model.split('/')[0] ?? '', priceVersion: 'made up' },
      ...{ errorMessage: secret, status, ...attempt },
    })),
  });
  await settleGeneration(bench.dependencies, { generationId, canceled: false });
  const { status, errorCode, errorMessage } = await database.generation.findUniqueOrThrow({
    where: { id: generationId },
  });
  return { status, errorCode, errorMessage };
};

test('where several models failed, each is told in words, with what to do next and no word of a provider', async () => {
  const settled = await settle(
    { model: 'acme/clip', errorCode: 'provider_overloaded' },
    { model: 'brick/reel', errorCode: 'provider_auth' },
  );
  expect(settled).toEqual({
    status: 'failed',
    errorCode: 'provider_all_failed',
    errorMessage:
      'None of 2 models could do it. acme/clip: the provider is overloaded; brick/reel: the provider refused our key, or ' +
      'there is none to use. Let an operator look at the keys and models of the providers, or re-run it in some minutes.',
  });
});

test('a model that had no room and one that failed are told alike', async () => {
  const { errorCode, errorMessage } = await settle(
    { model: 'acme/clip', errorCode: 'policy_no_capacity' },
    { model: 'brick/reel', status: 'failed', errorCode: 'provider_failed' },
  );
  expect(errorCode).toBe('provider_all_failed');
  expect(errorMessage).toContain('acme/clip: it had no room, and another one had; brick/reel: the provider began');
});

test('where one model was tried, its own failure is told', async () => {
  const attempts = [1, 2].map(() => ({ model: 'acme/clip', status: 'failed' as const, errorCode: 'provider_failed' }));
  expect(await settle(...attempts)).toEqual({ status: 'failed', errorCode: 'provider_failed', errorMessage: secret });
});

test('what another attempt took over, and late work that nobody waited for, is no reason', async () => {
  const { errorMessage } = await settle(
    { model: 'crux/film', status: 'superseded', errorCode: 'provider_timeout', supersededBy: 2 },
    { model: 'acme/clip', errorCode: 'provider_overloaded' },
    { model: 'crux/film', status: 'failed', errorCode: 'provider_failed', supersededBy: 1 },
    { model: 'brick/reel', errorCode: 'provider_server_error' },
  );
  expect(errorMessage).toMatch(/^None of 2 models/);
  expect(errorMessage).not.toContain('crux');
});
