import { ulid } from 'ulid';
import type { SureshotError } from '../../src/domain/failure';
import { recordEnding, recordSubmitted, recordSucceeded, type AttemptKey } from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange } from '../../src/stores/generations';
import { findFollower } from '../../src/stores/provider-callbacks';
import { createRerun, listRerunnable, type NewRerun } from '../../src/stores/reruns';
import { createTenant } from '../../src/stores/tenants';
import { makeRequest } from '../support/generation-data';
import {
  accept,
  acceptance,
  begin,
  beginTaken,
  eventsOf,
  next,
  openLedger,
  plan,
  result,
  setStatus,
  statusesOf,
  take,
  tenantId,
  type Ledger,
} from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
});
afterAll(() => ledger.close());

const endAs = (id: string, status: 'failed' | 'canceled' | 'expired' | 'succeeded'): Promise<void> =>
  publishChange(database, id, () => ({ status }));

const rerun = (rerunOf: string, overrides: Partial<NewRerun> = {}) =>
  createRerun(database, {
    ...{ id: `gen_${ulid()}`, tenantId, request: makeRequest(), requestHash: 'hash', idempotencyKey: null },
    ...{ rerunOf, from: 'failed_step', sameWork: true, delayMs: 0 },
    ...overrides,
  });

const rejection = async (work: Promise<unknown>): Promise<SureshotError> =>
  work.then(
    () => Promise.reject(new Error('it was accepted')),
    (error: SureshotError) => error,
  );

const attemptsOf = (generationId: string) =>
  database.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });

/** The sum over generations of what was paid and of what may have been, to the cent. */
const sumsOf = async (...ids: string[]) => {
  const { _sum } = await database.attempt.aggregate({
    where: { generationId: { in: ids } },
    _sum: { costUsd: true, possibleCostUsd: true },
  });
  return { cost: _sum.costUsd?.toFixed() ?? '0', possible: _sum.possibleCostUsd?.toFixed() ?? '0' };
};

const beginSubmitted = async (): Promise<AttemptKey & { operationId: string }> => {
  const key = await beginTaken(database);
  const answer = acceptance();
  await recordSubmitted(database, key, answer);
  return { ...key, operationId: answer.operation.id };
};

const lostEnding = (code: 'provider_result_lost' | 'provider_failed', costUsd: string | null) =>
  ({ status: 'failed', code, message: 'told', costUsd, from: ['submitted'] }) as Parameters<typeof recordEnding>[2];

// Promise 3: "Resume, never restart. After an outage of any length, polling goes on with the operation we have; re-run
// adopts paid work."
describe('re-run adopts paid work', () => {
  test('that still runs: operation, credential and price go to the new generation, both tell', async () => {
    const { operationId, ...key } = await beginSubmitted();
    const before = await attemptsOf(key.generationId);
    await endAs(key.generationId, 'canceled');
    const { id, created } = await rerun(key.generationId);
    expect(created).toBe(true);
    const [loser] = await attemptsOf(key.generationId);
    const [owner] = await attemptsOf(id);
    expect(loser).toMatchObject({ status: 'superseded', operationId: null, costUsd: null });
    expect(owner).toMatchObject({
      ...{ number: 1, status: 'submitted', operationId, operation: { id: operationId }, provider: 'acme' },
      ...{ credential: 'main', credentialPrint: 'print', adoptedFrom: `${key.generationId}/1`, epoch: 0 },
      ...{ estimatedUsd: before[0]?.estimatedUsd, priceVersion: before[0]?.priceVersion },
      ...{ submittedAt: before[0]?.submittedAt, sentAt: before[0]?.sentAt },
    });
    const attemptEvent = (status: string) =>
      expect.objectContaining({
        type: 'generation.attempt',
        data: { number: 1, provider: 'acme', model: 'acme/clip', status },
      }) as object;
    expect((await eventsOf(database, key.generationId)).at(-1)).toEqual(attemptEvent('superseded'));
    expect(await eventsOf(database, id)).toEqual([attemptEvent('submitted')]);
    expect((await database.generation.findUniqueOrThrow({ where: { id: key.generationId } })).status).toBe('canceled');
  });

  test('that has its result: outputs, usage, end and cost move, and the sum stays what it was', async () => {
    const { operationId: _operation, ...key } = await beginSubmitted();
    const done = await recordSucceeded(database, key, result({ costUsd: '0.03' }));
    await endAs(key.generationId, 'canceled');
    const { id } = await rerun(key.generationId);
    const [owner] = await attemptsOf(id);
    expect(owner).toMatchObject({ status: 'succeeded', outputs: done?.outputs, usage: done?.usage });
    expect({ cost: owner?.costUsd?.toFixed(), endedAt: owner?.endedAt }).toEqual({
      cost: '0.03',
      endedAt: done?.endedAt,
    });
    expect(await sumsOf(key.generationId, id)).toEqual({ cost: '0.03', possible: '0' });
  });

  test('that has its result at a price nobody told: what it may have cost moves too', async () => {
    const { operationId: _operation, ...key } = await beginSubmitted();
    await recordSucceeded(database, key, result({ costUsd: null }));
    await endAs(key.generationId, 'canceled');
    const { id } = await rerun(key.generationId);
    expect(await sumsOf(key.generationId)).toEqual({ cost: '0', possible: '0' });
    expect(await sumsOf(id)).toEqual({ cost: '0', possible: '0.04' });
  });

  test('whose result could not be had: it is looked at again, and what it cost stays booked, once', async () => {
    const { operationId, ...key } = await beginSubmitted();
    await recordEnding(database, key, lostEnding('provider_result_lost', '0.04'));
    await endAs(key.generationId, 'failed');
    const { id } = await rerun(key.generationId);
    expect((await attemptsOf(id))[0]).toMatchObject({
      status: 'submitted',
      operationId,
      endedAt: null,
      errorCode: null,
    });
    expect(await statusesOf(database, key.generationId)).toEqual(['superseded']);
    expect(await sumsOf(key.generationId)).toEqual({ cost: '0', possible: '0' });
    expect(await sumsOf(key.generationId, id)).toEqual({ cost: '0.04', possible: '0' });
    await recordSucceeded(database, { generationId: id, number: 1 }, result({ costUsd: '0.04' }));
    expect(await sumsOf(key.generationId, id)).toEqual({ cost: '0.04', possible: '0' });
  });

  test('the best of it: a result before running work, running work before what nobody could look at', async () => {
    const lost = { errorCode: 'provider_result_lost', operationId: `operation-${ulid()}`, operation: { id: 'lost' } };
    const { operationId, ...key } = await beginSubmitted();
    await database.attempt.create({
      data: {
        ...{
          generationId: key.generationId,
          number: 2,
          provider: 'brick',
          model: 'brick/reel',
          priceVersion: 'made up',
        },
        ...{ status: 'failed', credential: 'main', ...lost },
      },
    });
    await endAs(key.generationId, 'failed');
    const first = await rerun(key.generationId);
    expect(await attemptsOf(first.id)).toMatchObject([{ operationId, model: 'acme/clip' }]);
    await endAs(first.id, 'canceled');
    await recordSucceeded(database, { generationId: first.id, number: 1 }, result());
    const second = await rerun(key.generationId);
    expect(await attemptsOf(second.id)).toMatchObject([{ status: 'succeeded', operationId }]);
    // what was not taken over stays with whoever paid for it
    expect((await attemptsOf(key.generationId))[1]).toMatchObject({ status: 'failed', operationId: lost.operationId });
  });

  test.each(['provider_failed', 'provider_content_rejected', 'caller_content_rejected'])(
    'but not what its provider has said to be %s: the work is sent anew, and stays booked where it was',
    async (errorCode) => {
      const { operationId, ...key } = await beginSubmitted();
      await setStatus(database, key, 'failed', { errorCode, costUsd: '0.02' });
      await endAs(key.generationId, 'failed');
      const { id } = await rerun(key.generationId);
      expect(await attemptsOf(id)).toEqual([]);
      expect((await attemptsOf(key.generationId))[0]).toMatchObject({ status: 'failed', operationId });
      expect(await sumsOf(key.generationId, id)).toEqual({ cost: '0.02', possible: '0' });
    },
  );

  test.each([
    ['from the start', { from: 'start' as const }],
    ['of other work', { sameWork: false }],
  ])('but not %s', async (_what, overrides) => {
    const { operationId, ...key } = await beginSubmitted();
    await endAs(key.generationId, 'canceled');
    const { id } = await rerun(key.generationId, overrides);
    expect(await attemptsOf(id)).toEqual([]);
    expect((await attemptsOf(key.generationId))[0]).toMatchObject({ status: 'submitted', operationId });
  });

  test('late work that an earlier attempt left behind is taken over too', async () => {
    const key = await beginTaken(database);
    await recordEnding(database, key, {
      ...{ status: 'ambiguous', code: 'provider_submit_ambiguous', message: 'lost', costUsd: null },
      from: ['submitting'],
    });
    await plan(database, key.generationId, { onAmbiguous: 'resubmit' });
    const late = acceptance();
    await recordSubmitted(database, key, late);
    await setStatus(database, next(key), 'rejected', { errorCode: 'provider_auth' });
    await endAs(key.generationId, 'failed');
    const { id } = await rerun(key.generationId);
    expect(await attemptsOf(id)).toMatchObject([
      { status: 'submitted', operationId: late.operation.id, supersededBy: null },
    ]);
  });

  test('goes on from the analysis and the decision it came from', async () => {
    const { operationId: _operation, ...key } = await beginSubmitted();
    const analysis = { source: 'local', language: 'en' } as never;
    await publishChange(database, key.generationId, () => ({ analysis }));
    await endAs(key.generationId, 'failed');
    const { id } = await rerun(key.generationId);
    const [before, after] = await Promise.all(
      [key.generationId, id].map((which) => database.generation.findUniqueOrThrow({ where: { id: which } })),
    );
    expect(after).toMatchObject({ analysis, decision: before?.decision, status: 'queued', rerunOf: key.generationId });
  });
});

describe('the adopted attempt', () => {
  const adopted = async (): Promise<{ id: string; operationId: string; source: AttemptKey }> => {
    const { operationId, ...source } = await beginSubmitted();
    await endAs(source.generationId, 'failed');
    const { id } = await rerun(source.generationId);
    await publishChange(database, id, () => ({ status: 'running' }));
    return { id, operationId, source };
  };

  test('is begun once, by the first plan; the next one takes it over', async () => {
    const { id, operationId } = await adopted();
    expect(await plan(database, id)).toMatchObject({ action: 'attempt', number: 1, model: 'acme/clip' });
    expect(await take(database, { generationId: id, number: 1 })).toMatchObject({ kind: 'recorded' });
    expect(await plan(database, id)).toMatchObject({ action: 'attempt', number: 2 });
    expect(await statusesOf(database, id)).toEqual(['superseded', 'submitted']);
    expect((await attemptsOf(id))[1]?.operationId).toBe(operationId);
  });

  test('leaves nothing to send behind: the one before is fenced', async () => {
    const { source } = await adopted();
    expect(await plan(database, source.generationId)).toEqual({ action: 'stop' });
    expect(await take(database, source)).not.toMatchObject({ kind: 'taken' });
  });

  test('hears what the provider tells about the one before', async () => {
    const { id, source } = await adopted();
    expect(await findFollower(database, source)).toEqual(expect.objectContaining({ generationId: id, number: 1 }));
  });

  test('that turns out to be of no use is sent anew: a person wanted it run again', async () => {
    const { id } = await adopted();
    const decision = (await database.generation.findUniqueOrThrow({ where: { id } })).decision;
    expect(decision).not.toBeNull();
    await plan(database, id);
    await recordEnding(database, { generationId: id, number: 1 }, lostEnding('provider_failed', null));
    expect(await plan(database, id)).toMatchObject({ action: 'attempt', number: 2, model: 'acme/clip' });
  });
});

describe('a re-run is refused', () => {
  test.each(['queued', 'running', 'succeeded'] as const)('of a generation that is %s', async (status) => {
    const id = status === 'queued' ? await accept(database) : await begin(database);
    if (status === 'succeeded') await endAs(id, status);
    expect(await rejection(rerun(id))).toMatchObject({ code: 'caller_conflict' });
  });

  test('at the same time as another one, whichever of the chain is named', async () => {
    const { operationId, ...key } = await beginSubmitted();
    await endAs(key.generationId, 'failed');
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => rerun(key.generationId)));
    const accepted = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(accepted).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'caller_conflict' });
    expect(await database.attempt.count({ where: { operationId } })).toBe(1);
  });

  test('while a submit is being settled, with a time to ask again; and while one is unresolved', async () => {
    const sending = await beginTaken(database);
    await endAs(sending.generationId, 'canceled');
    const soon = await rejection(rerun(sending.generationId));
    expect(soon).toMatchObject({ code: 'caller_conflict', retryAfterSeconds: expect.any(Number) as number });
    await setStatus(database, sending, 'ambiguous', { errorCode: 'provider_submit_ambiguous' });
    const unresolved = await rejection(rerun(sending.generationId));
    expect(unresolved).toMatchObject({ code: 'caller_conflict', retryAfterSeconds: null });
    expect(unresolved.message).toContain('resolve it first');
    expect((await rerun(sending.generationId, { from: 'start' })).created).toBe(true);
  });

  test('and leaves nothing behind', async () => {
    const { operationId, ...key } = await beginSubmitted();
    const id = `gen_${ulid()}`;
    await rejection(rerun(key.generationId, { id }));
    expect(await database.generation.findUnique({ where: { id } })).toBeNull();
    expect((await attemptsOf(key.generationId))[0]).toMatchObject({ status: 'submitted', operationId });
  });
});

describe('the list of what can be run again', () => {
  test('is of one tenant, the oldest first, without what was run again', async () => {
    const [tenant, stranger] = [`ten_${ulid()}`, `ten_${ulid()}`];
    for (const id of [tenant, stranger]) await createTenant(database, { id, name: id, weight: 1 });
    const make = async (status: 'failed' | 'canceled' | 'expired' | 'succeeded', owner = tenant): Promise<string> => {
      const id = await accept(database, { tags: [status] }, owner);
      await endAs(id, status);
      return id;
    };
    const [failed, canceled, expired] = [await make('failed'), await make('canceled'), await make('expired')];
    await make('succeeded');
    await make('failed', stranger);
    await accept(database, {}, tenant);
    const list = (filter: object = {}) => listRerunnable(database, tenant, { limit: 100, ...filter });
    expect(await list()).toEqual([failed, canceled, expired]);
    expect(await list({ limit: 2 })).toEqual([failed, canceled]);
    expect(await list({ status: 'expired' })).toEqual([expired]);
    expect(await list({ tag: 'canceled', medium: 'video' })).toEqual([canceled]);
    expect(await list({ medium: 'image' })).toEqual([]);
    await rerun(failed, { tenantId: tenant });
    expect(await list()).toEqual([canceled, expired]);
  });
});
