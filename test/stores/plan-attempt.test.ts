import type { AttemptStatus } from '../../src/domain/generation';
import {
  readAttempt,
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  recordSucceeded,
  type AttemptKey,
} from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange, requestCancel } from '../../src/stores/generations';
import {
  acceptance,
  age,
  begin,
  beginAttempt,
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

const attempt = (number: number, model = 'acme/clip') => ({
  action: 'attempt',
  number,
  provider: model.split('/')[0],
  model,
});

const ending = (status: 'failed' | 'rejected' | 'ambiguous' | 'canceled', code = 'provider_failed') =>
  ({ status, code, message: 'told', costUsd: '0', from: ['submitting', 'submitted'] }) as Parameters<
    typeof recordEnding
  >[2];

const beginSubmitted = async (): Promise<{ key: AttemptKey; operationId: string }> => {
  const key = await beginTaken(database);
  const answer = acceptance();
  await recordSubmitted(database, key, answer);
  return { key, operationId: answer.operation.id };
};

test('the first plan is attempt 1 of the best candidate, with its price and the phase', async () => {
  const generationId = await begin(database);
  expect(await plan(database, generationId)).toEqual(attempt(1));
  const row = await readAttempt(database, { generationId, number: 1 });
  expect(row).toMatchObject({ status: 'planned', priceVersion: 'acme/clip@2026-11-21', takesOver: null, epoch: 0 });
  expect(row.estimatedUsd?.toFixed()).toBe('0.04');
  const generation = await database.generation.findUniqueOrThrow({ where: { id: generationId } });
  expect(generation.phase).toBe('submitting');
});

test('stops without candidates', async () => {
  const generationId = await begin(database);
  await publishChange(database, generationId, () => ({
    decision: { strategy: 'balanced', variant: null, candidates: [] },
  }));
  expect(await plan(database, generationId)).toEqual({ action: 'stop' });
});

test('a planned attempt is superseded and fenced', async () => {
  const key = await beginAttempt(database);
  expect(await plan(database, key.generationId)).toEqual(attempt(2));
  expect(await statusesOf(database, key.generationId)).toEqual(['superseded', 'planned']);
  expect(await take(database, key)).toEqual({ kind: 'fenced' });
  expect(await take(database, next(key))).toMatchObject({ kind: 'taken' });
});

test.each<[AttemptStatus, string | null, object]>([
  ['failed', 'provider_failed', attempt(2, 'brick/reel')],
  ['failed', 'caller_content_rejected', { action: 'stop' }],
  ['rejected', 'provider_auth', attempt(2, 'brick/reel')],
  ['ambiguous', 'provider_submit_ambiguous', attempt(2)],
  ['canceled', null, { action: 'stop' }],
])('after an attempt that is %s (%s) it plans as the ledger says', async (status, errorCode, expected) => {
  const key = await beginAttempt(database);
  await setStatus(database, key, status, { errorCode });
  expect(await plan(database, key.generationId)).toEqual(expected);
  expect((await statusesOf(database, key.generationId))[0]).toBe(status);
});

test('a lost answer is held, resubmitted or failed over as the request wishes', async () => {
  for (const [onAmbiguous, expected] of [
    ['hold', { action: 'hold', waitMs: 86_400_000 }],
    ['resubmit', attempt(2)],
    ['fail_over', attempt(2, 'brick/reel')],
  ] as const) {
    const key = await beginAttempt(database);
    await setStatus(database, key, 'ambiguous');
    expect(await plan(database, key.generationId, { onAmbiguous })).toEqual(expected);
  }
});

test('submitted work moves to the next attempt, its operation with it', async () => {
  const { key, operationId } = await beginSubmitted();
  expect(await plan(database, key.generationId)).toEqual(attempt(2));
  const [loser, owner] = [await readAttempt(database, key), await readAttempt(database, next(key))];
  expect(loser).toMatchObject({ status: 'superseded', supersededBy: 2, operationId: null });
  expect(owner).toMatchObject({
    status: 'submitted',
    operationId,
    operation: { id: operationId },
    credential: 'main',
    providerRequestId: 'request',
    takesOver: null,
  });
  expect(owner.submittedAt).toEqual(loser.submittedAt);
  expect(await take(database, key)).toEqual({ kind: 'fenced' });
  expect(await take(database, next(key))).toMatchObject({ kind: 'recorded', attempt: { status: 'submitted' } });
});

test('a finished result moves with its outputs, cost and end, and is booked once', async () => {
  const { key } = await beginSubmitted();
  const earlier = await recordSucceeded(database, key, result());
  expect(await plan(database, key.generationId)).toEqual(attempt(2));
  const owner = await readAttempt(database, next(key));
  expect(owner).toMatchObject({ status: 'succeeded', outputs: earlier?.outputs, usage: earlier?.usage });
  const rows = await database.attempt.findMany({ where: { generationId: key.generationId } });
  expect(rows.map(({ costUsd }) => costUsd?.toFixed() ?? null).sort()).toEqual(['0.03', null]);
  expect(owner.endedAt).toEqual(earlier?.endedAt);
});

test('what finished work may have cost moves with it, once', async () => {
  const { key } = await beginSubmitted();
  await recordSucceeded(database, key, result({ costUsd: null }));
  await plan(database, key.generationId);
  const rows = await database.attempt.findMany({
    where: { generationId: key.generationId },
    orderBy: { number: 'asc' },
  });
  expect(rows.map(({ possibleCostUsd }) => possibleCostUsd?.toFixed() ?? null)).toEqual([null, '0.04']);
});

test('moves ownership along a chain of plans', async () => {
  const { key, operationId } = await beginSubmitted();
  for (const number of [2, 3, 4]) expect(await plan(database, key.generationId)).toEqual(attempt(number));
  expect(await statusesOf(database, key.generationId)).toEqual(['superseded', 'superseded', 'superseded', 'submitted']);
  expect((await readAttempt(database, next(key, 3))).operationId).toBe(operationId);
});

test('plans made at the same time leave one attempt that counts', async () => {
  const { key, operationId } = await beginSubmitted();
  const plans = await Promise.all(Array.from({ length: 5 }, () => plan(database, key.generationId)));
  const numbers = plans.map((one) => (one.action === 'attempt' ? one.number : 0)).sort();
  expect(numbers).toEqual([2, 3, 4, 5, 6]);
  const rows = await database.attempt.findMany({ where: { generationId: key.generationId, operationId } });
  expect(rows).toMatchObject([{ number: 6, status: 'submitted' }]);
});

const beginTakenOver = async (): Promise<{ first: AttemptKey; second: AttemptKey }> => {
  const first = await beginTaken(database);
  expect(await plan(database, first.generationId)).toEqual(attempt(2));
  return { first, second: next(first) };
};

test('an attempt that may be out is settled by the next one, which sends nothing before', async () => {
  const { first, second } = await beginTakenOver();
  expect(await take(database, first)).toEqual({ kind: 'fenced' });
  const waiting = await take(database, second);
  expect(waiting).toMatchObject({ kind: 'unresolved', subject: { number: 1 }, attempt: { number: 2 } });
  expect(waiting.kind === 'unresolved' && waiting.waitMs).toBeGreaterThan(60_000);
  await age(database, first, 70_000);
  expect(await take(database, second)).toMatchObject({ kind: 'unresolved', waitMs: 0 });
  expect(await statusesOf(database, first.generationId)).toEqual(['submitting', 'planned']);
});

test('a late answer of the fenced sender is stored, and the next attempt takes it over', async () => {
  const { first, second } = await beginTakenOver();
  const answer = acceptance();
  expect(await recordSubmitted(database, first, answer)).toMatchObject({ status: 'submitted' });
  expect(await take(database, second)).toMatchObject({
    kind: 'recorded',
    attempt: { number: 2, status: 'submitted', operationId: answer.operation.id, takesOver: null },
  });
  expect(await statusesOf(database, first.generationId)).toEqual(['superseded', 'submitted']);
});

test('what was never received is sent by the next attempt, in its turn', async () => {
  const { first, second } = await beginTakenOver();
  const nothing = { code: 'provider_server_error', message: 'never received', counts: false, epoch: 1 } as const;
  await recordNotAccepted(database, first, nothing);
  expect(await take(database, second)).toEqual({ kind: 'turnless' });
  expect(await take(database, second)).toMatchObject({ kind: 'taken', attempt: { number: 2 } });
});

test('what stays unknown is left to the policy: the next attempt has sent nothing and does not count', async () => {
  const { first, second } = await beginTakenOver();
  await recordEnding(database, first, { ...ending('ambiguous', 'provider_submit_ambiguous'), costUsd: null });
  expect(await take(database, second)).toMatchObject({ kind: 'recorded', attempt: { number: 1, status: 'ambiguous' } });
  expect(await statusesOf(database, first.generationId)).toEqual(['ambiguous', 'superseded']);
  expect(await plan(database, first.generationId, { onAmbiguous: 'hold' })).toMatchObject({ action: 'hold' });
  expect(await plan(database, first.generationId, { onAmbiguous: 'resubmit' })).toEqual(attempt(3));
});

test.each([
  ['failed', 'provider_failed'],
  ['rejected', 'caller_invalid_request'],
  ['canceled', 'provider_failed'],
] as const)('what turns out to be %s is not sent again by the next attempt', async (status, code) => {
  const { first, second } = await beginTakenOver();
  await recordEnding(database, first, ending(status, code));
  expect((await take(database, second)).kind).toBe('recorded');
  expect((await readAttempt(database, second)).sentAt).toBeNull();
});

test('a plan in between inherits what has to be settled', async () => {
  const { first } = await beginTakenOver();
  expect(await plan(database, first.generationId)).toEqual(attempt(3));
  expect(await take(database, next(first))).toEqual({ kind: 'fenced' });
  expect(await take(database, next(first, 2))).toMatchObject({ kind: 'unresolved', subject: { number: 1 } });
});

test('an answer that comes after a replacement was planned is booked on its attempt, and does not count', async () => {
  const key = await beginTaken(database);
  await recordEnding(database, key, { ...ending('ambiguous', 'provider_submit_ambiguous'), costUsd: null });
  expect(await plan(database, key.generationId, { onAmbiguous: 'resubmit' })).toEqual(attempt(2));
  expect(await recordSubmitted(database, key, acceptance())).toMatchObject({ number: 1, supersededBy: 2 });
  expect(await statusesOf(database, key.generationId)).toEqual(['submitted', 'planned']);
  expect(await plan(database, key.generationId)).toEqual(attempt(3));
  expect(await statusesOf(database, key.generationId)).toEqual(['submitted', 'superseded', 'planned']);
  await recordSucceeded(database, key, result());
  expect(await plan(database, key.generationId)).toEqual(attempt(4));
});

test('an answer for an attempt whose work has moved on gets an owner of its own', async () => {
  const { key } = await beginSubmitted();
  await plan(database, key.generationId);
  expect(await recordSubmitted(database, key, acceptance())).toMatchObject({ number: 3, supersededBy: 1 });
  expect(await recordSucceeded(database, key, result())).toBeNull();
});

test('while a lost answer waits for a person, the deadline stands still', async () => {
  const key = await beginTaken(database);
  await recordEnding(database, key, { ...ending('ambiguous', 'provider_submit_ambiguous'), costUsd: null });
  const hold = () => plan(database, key.generationId, { onAmbiguous: 'hold' });
  const read = () => database.generation.findUniqueOrThrow({ where: { id: key.generationId } });
  const before = await read();
  expect(await hold()).toEqual({ action: 'hold', waitMs: 86_400_000 });
  expect(await read()).toMatchObject({ phase: 'needs_attention', heldAt: expect.any(Date) });
  await database.$executeRaw`UPDATE generations SET held_at = held_at - interval '1 hour' WHERE id = ${key.generationId}`;
  const again = await hold();
  expect(again.action === 'hold' && again.waitMs).toBeLessThanOrEqual(23 * 3_600_000);
  await setStatus(database, key, 'ambiguous', { resolution: { action: 'resubmit' } });
  expect(await hold()).toEqual(attempt(2));
  const after = await read();
  expect(after.heldAt).toBeNull();
  expect(after.deadlineAt.getTime() - before.deadlineAt.getTime()).toBeGreaterThanOrEqual(3_600_000);
});

test('after a day nobody is waited for any more', async () => {
  const key = await beginTaken(database);
  await recordEnding(database, key, { ...ending('ambiguous', 'provider_submit_ambiguous'), costUsd: null });
  await plan(database, key.generationId, { onAmbiguous: 'hold' });
  await database.$executeRaw`UPDATE generations SET held_at = held_at - interval '25 hours' WHERE id = ${key.generationId}`;
  expect(await plan(database, key.generationId, { onAmbiguous: 'hold' })).toEqual({ action: 'stop' });
});

test('after a cancel nothing new is planned, but what was sent is still taken over', async () => {
  const untouched = await beginAttempt(database);
  const unbegun = await begin(database);
  const { key: sent } = await beginSubmitted();
  for (const id of [untouched.generationId, unbegun, sent.generationId]) await requestCancel(database, tenantId, id);
  expect(await plan(database, untouched.generationId)).toEqual({ action: 'stop' });
  expect(await plan(database, unbegun)).toEqual({ action: 'stop' });
  expect(await plan(database, sent.generationId)).toEqual(attempt(2));
});

test('after a cancel a failure is not answered by another provider', async () => {
  const { key } = await beginSubmitted();
  await recordEnding(database, key, ending('failed'));
  await requestCancel(database, tenantId, key.generationId);
  expect(await plan(database, key.generationId)).toEqual({ action: 'stop' });
});

test('each change of an attempt is an event of its own, in order', async () => {
  const { key } = await beginSubmitted();
  await plan(database, key.generationId);
  const events = await eventsOf(database, key.generationId);
  const told = events
    .filter(({ type }) => type === 'generation.attempt')
    .map(({ data }) => data as { number: number; status: string });
  expect(told.map(({ number, status }) => `${number} ${status}`)).toEqual([
    '1 planned',
    '1 submitting',
    '1 submitted',
    '2 planned',
    '1 superseded',
    '2 submitted',
  ]);
});
