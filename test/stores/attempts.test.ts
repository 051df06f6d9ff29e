import {
  readAttempt,
  recordAnswer,
  recordEnding,
  recordFailedLook,
  recordLook,
  recordNotAccepted,
  recordSubmitted,
  recordSucceeded,
} from '../../src/stores/attempts';
import { listUnwatched } from '../../src/stores/reconciliation';
import { endSend, releaseAttempt, takeAttempt, untakeAttempt } from '../../src/stores/attempt-take';
import type { Database } from '../../src/stores/database';
import { findGeneration, publishChange, requestCancel } from '../../src/stores/generations';
import {
  acceptance,
  age,
  beginAttempt,
  beginTaken,
  eventsOf,
  makeSender,
  openLedger,
  plan,
  result,
  setStatus,
  statusOf,
  statusesOf,
  take,
  takeInTurn,
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

// of the first send
const busy = { code: 'provider_overloaded', message: 'busy', counts: true, epoch: 1 } as const;
const lost = {
  status: 'ambiguous',
  code: 'provider_submit_ambiguous',
  message: 'its answer was lost',
  costUsd: null,
  from: ['submitting'],
} as const;

test.each([2, 10])('of %d callers at once exactly one takes the attempt', async (callers) => {
  const key = await beginAttempt(database);
  const takes = await Promise.all(Array.from({ length: callers }, () => take(database, key)));
  expect(takes.filter(({ kind }) => kind === 'taken')).toHaveLength(1);
  expect(takes.filter(({ kind }) => kind === 'unresolved')).toHaveLength(callers - 1);
  expect(await readAttempt(database, key)).toMatchObject({ status: 'submitting', epoch: 1, credential: 'main' });
});

test('notes that it is about to send before anything is sent', async () => {
  const key = await beginAttempt(database);
  const taken = await take(database, key);
  const row = await readAttempt(database, key);
  expect(taken).toMatchObject({ kind: 'taken', attempt: { epoch: 1, sendTimeoutMs: 60_000 } });
  expect(row.sentAt).not.toBeNull();
});

test('shows which service it was sent through', async () => {
  const key = await beginAttempt(database);
  await takeInTurn(database, key, makeSender({ gateway: 'gateway.example' }));
  const shown = await findGeneration(database, tenantId, key.generationId);
  expect(shown?.attempts).toMatchObject([{ status: 'submitting', credential: 'main', gateway: 'gateway.example' }]);
});

test('after a crash waits for the sender, its time limit and five seconds, by the clock of the database', async () => {
  const key = await beginTaken(database);
  const waitMs = async (): Promise<number> => {
    const again = await take(database, key);
    return again.kind === 'unresolved' ? again.waitMs : NaN;
  };
  const first = await waitMs();
  expect(first).toBeGreaterThan(60_000);
  expect(first).toBeLessThanOrEqual(65_000);
  await age(database, key, 40_000);
  const later = await waitMs();
  expect(later).toBeGreaterThan(20_000);
  expect(later).toBeLessThanOrEqual(25_000);
  await age(database, key, 30_000);
  expect(await waitMs()).toBe(0);
  expect(await statusOf(database, key)).toBe('submitting');
});

test('what the provider turns out never to have received can be taken again, in a new epoch', async () => {
  const key = await beginTaken(database);
  await age(database, key, 70_000);
  await recordNotAccepted(database, key, { ...busy, counts: false });
  expect(await take(database, key)).toMatchObject({ kind: 'taken', attempt: { epoch: 2, submitErrors: 0 } });
});

test.each(['submitted', 'succeeded', 'failed', 'canceled', 'rejected', 'ambiguous'] as const)(
  'an attempt that is %s is not sent again',
  async (status) => {
    const key = await beginAttempt(database);
    await setStatus(database, key, status);
    expect(await take(database, key)).toMatchObject({ kind: 'recorded', attempt: { status } });
    expect(await readAttempt(database, key)).toMatchObject({ status, epoch: 0, sentAt: null });
  },
);

test('a take that was not sent is put back, by its own epoch only', async () => {
  const key = await beginTaken(database);
  await untakeAttempt(database, key, 0);
  expect(await statusOf(database, key)).toBe('submitting');
  await untakeAttempt(database, key, 1);
  expect(await readAttempt(database, key)).toMatchObject({ status: 'planned', sentAt: null, epoch: 1 });
  await untakeAttempt(database, key, 1);
  expect(await statusOf(database, key)).toBe('planned');
});

test('counts the submits that were not accepted, not the rate limits', async () => {
  const key = await beginAttempt(database);
  for (const [counts, total, epoch] of [
    [true, 1, 1],
    [false, 1, 2],
    [true, 2, 3],
  ] as const) {
    await take(database, key);
    const row = await recordNotAccepted(database, key, { ...busy, counts, epoch });
    expect(row).toMatchObject({
      status: 'planned',
      submitErrors: total,
      errorCode: 'provider_overloaded',
      sentAt: null,
    });
  }
  expect(await recordNotAccepted(database, key, busy)).toBeNull();
});

test('a refusal that arrives late does not undo the send of a later epoch', async () => {
  const key = await beginTaken(database);
  // the first sender is stopped; another one finds that the provider has nothing, and sends
  await recordNotAccepted(database, key, { ...busy, counts: false });
  const second = await take(database, key);
  expect(second).toMatchObject({ kind: 'taken', attempt: { epoch: 2 } });
  // the first one wakes up with the refusal of its own send, of epoch 1
  await recordNotAccepted(database, key, busy);
  expect(await statusOf(database, key)).toBe('submitting');
});

test('the deadline and a cancel let go for free what was not sent', async () => {
  const overdue = await beginAttempt(database);
  await database.$executeRaw`
    UPDATE generations SET deadline_at = now() - interval '1 second' WHERE id = ${overdue.generationId}`;
  const canceled = await beginAttempt(database);
  await requestCancel(database, tenantId, canceled.generationId);
  for (const key of [overdue, canceled]) {
    expect(await take(database, key)).toMatchObject({ kind: 'recorded', attempt: { status: 'canceled' } });
    const row = await readAttempt(database, key);
    expect(row.costUsd?.toFixed()).toBe('0');
    expect(row).toMatchObject({ epoch: 0, sentAt: null, possibleCostUsd: null, endedAt: expect.any(Date) });
    expect(await plan(database, key.generationId)).toEqual({ action: 'stop' });
  }
});

test('records the answer once, with the phase and no trace of earlier refusals', async () => {
  const key = await beginAttempt(database);
  await take(database, key);
  await recordNotAccepted(database, key, busy);
  await take(database, key);
  const { operation, providerRequestId } = acceptance();
  const answer = { operation: { ...operation, region: 'eu' }, providerRequestId };
  expect(await recordSubmitted(database, key, answer)).toMatchObject({
    status: 'submitted',
    operationId: operation.id,
    operation: answer.operation,
    errorCode: null,
    submittedAt: expect.any(Date),
  });
  expect((await readAttempt(database, key)).operationId).toBe(operation.id);
  const row = await database.generation.findUniqueOrThrow({ where: { id: key.generationId } });
  expect(row.phase).toBe('polling');
});

test('a result that came at once clears the refusals before it', async () => {
  const key = await beginAttempt(database);
  await take(database, key);
  await recordNotAccepted(database, key, busy);
  await take(database, key);
  const row = await recordAnswer(database, { ...key, epoch: 2 }, result());
  expect(row).toMatchObject({ status: 'succeeded', errorCode: null, errorMessage: null });
});

test('an answer that arrives after the attempt was given up as lost is still the answer', async () => {
  const key = await beginTaken(database);
  const ended = await recordEnding(database, key, lost);
  expect(ended?.possibleCostUsd?.toFixed()).toBe('0.04');
  const adopted = await recordSubmitted(database, key, acceptance());
  expect(adopted).toMatchObject({ status: 'submitted', errorCode: null, possibleCostUsd: null });
  expect(adopted?.endedAt).toBeNull();
});

test('two settlers of one lost answer write it down once', async () => {
  const key = await beginTaken(database);
  const rows = await Promise.all([recordEnding(database, key, lost), recordEnding(database, key, lost)]);
  expect(rows.filter((row) => row !== null)).toHaveLength(1);
  const written = await eventsOf(database, key.generationId);
  expect(written.filter(({ data }) => (data as { status?: string }).status === 'ambiguous')).toHaveLength(1);
});

test('an answer and its loss at the same moment end with the answer', async () => {
  for (let round = 0; round < 5; round += 1) {
    const key = await beginTaken(database);
    await Promise.all([recordEnding(database, key, lost), recordSubmitted(database, key, acceptance())]);
    expect(await statusOf(database, key)).toBe('submitted');
  }
});

test('an unknown price of finished work stands as a possible cost', async () => {
  const known = await beginTaken(database);
  const unknown = await beginTaken(database);
  const priced = await recordAnswer(database, { ...known, epoch: 1 }, result({ costUsd: '0.00000001' }));
  const unpriced = await recordAnswer(database, { ...unknown, epoch: 1 }, result({ costUsd: null }));
  expect([priced.costUsd?.toFixed(), priced.possibleCostUsd]).toEqual(['0.00000001', null]);
  expect([unpriced.costUsd, unpriced.possibleCostUsd?.toFixed()]).toEqual([null, '0.04']);
});

test.each(['planned', 'succeeded', 'failed', 'canceled', 'rejected', 'superseded'] as const)(
  'nothing but an answer is recorded about an attempt that is %s',
  async (status) => {
    const key = await beginAttempt(database);
    await setStatus(database, key, status);
    const before = await readAttempt(database, key);
    expect(await recordSucceeded(database, key, result())).toBeNull();
    expect(await recordNotAccepted(database, key, busy)).toBeNull();
    expect(await recordEnding(database, key, lost)).toBeNull();
    expect(await readAttempt(database, key)).toEqual(before);
    expect(await statusesOf(database, key.generationId)).toEqual([status]);
  },
);

test.each(['planned', 'submitted', 'succeeded', 'failed', 'canceled', 'rejected', 'superseded'] as const)(
  'paid work whose attempt is %s by now gets a row of its own, which is watched and does not count',
  async (status) => {
    const key = await beginAttempt(database);
    await setStatus(database, key, status, { credential: 'main', operationId: acceptance().operation.id });
    const answer = acceptance();
    const owner = await recordSubmitted(database, key, answer);
    expect(owner).toMatchObject({ number: 2, status: 'submitted', supersededBy: 1, credential: 'main' });
    expect(owner.operationId).toBe(answer.operation.id);
    expect(await recordSubmitted(database, key, answer)).toEqual(owner);
    expect((await listUnwatched(database, 0)).map(({ generationId }) => generationId)).toContain(key.generationId);
    const late = await recordAnswer(database, { ...key, epoch: 7 }, result({ costUsd: '0.02' }));
    expect(late).toMatchObject({ number: 3, status: 'succeeded', supersededBy: 1 });
    expect(late.costUsd?.toFixed()).toBe('0.02');
    expect((await statusesOf(database, key.generationId))[0]).toBe(status);
  },
);

test('a result whose work was found at the provider meanwhile is booked once', async () => {
  const key = await beginTaken(database);
  await recordSubmitted(database, key, acceptance());
  const late = await recordAnswer(database, { ...key, epoch: 1 }, result());
  expect(late).toMatchObject({ number: 1, status: 'succeeded' });
  await plan(database, key.generationId);
  expect((await recordAnswer(database, { ...key, epoch: 1 }, result())).number).toBe(1);
  expect(await statusesOf(database, key.generationId)).toEqual(['superseded', 'succeeded']);
});

test('an answer after all, where the provider had said that it never received it, is not sent for again', async () => {
  const key = await beginTaken(database);
  await recordNotAccepted(database, key, busy);
  expect(await recordSubmitted(database, key, acceptance())).toMatchObject({ number: 1, status: 'submitted' });
  expect((await take(database, key)).kind).toBe('recorded');
});

test('a take whose acknowledgement was lost is the same take', async () => {
  const key = await beginAttempt(database);
  const sender = makeSender();
  expect(await takeInTurn(database, key, sender)).toMatchObject({ kind: 'taken', attempt: { epoch: 1 } });
  expect(await takeAttempt(database, key, sender)).toMatchObject({ kind: 'taken', attempt: { epoch: 1 } });
  expect((await take(database, key)).kind).toBe('unresolved');
});

test('whoever gives up on its answer spares the others the wait for its deadline', async () => {
  const key = await beginTaken(database);
  expect(await endSend(database, key, 2)).toBeNull();
  await endSend(database, key, 1);
  const waiting = await take(database, key);
  expect(waiting.kind === 'unresolved' && waiting.waitMs).toBeLessThan(10_000);
});

test('counts failed looks in a row, and apart from them those that found nothing there', async () => {
  const key = await beginTaken(database);
  await recordSubmitted(database, key, acceptance());
  const look = (gone: boolean) => recordFailedLook(database, key, { gone });
  expect([await look(false), await look(true), await look(true), await look(false)]).toEqual([
    { failed: 1, gone: 0 },
    { failed: 2, gone: 1 },
    { failed: 3, gone: 2 },
    { failed: 4, gone: 0 },
  ]);
  await recordLook(database, key, 40);
  expect(await look(true)).toEqual({ failed: 1, gone: 1 });
  const row = await database.generation.findUniqueOrThrow({ where: { id: key.generationId } });
  expect(row).toMatchObject({ phase: 'polling', progress: 40 });
});

test('one operation has one owner: another attempt cannot claim it', async () => {
  const answer = acceptance();
  const [mine, other] = [await beginTaken(database), await beginTaken(database)];
  await recordSubmitted(database, mine, answer);
  expect(await recordSubmitted(database, other, answer)).toMatchObject(mine);
  expect(await statusOf(database, other)).toBe('submitting');
});

test('an answer recorded twice, because the first commit went unnoticed, is still the answer of its attempt', async () => {
  const key = await beginTaken(database);
  const answer = acceptance();
  await recordSubmitted(database, key, answer);
  expect(await recordSubmitted(database, key, answer)).toMatchObject({ number: 1, status: 'submitted' });
});

test('nothing is sent for a generation that has ended without the attempt', async () => {
  const key = await beginAttempt(database);
  await publishChange(database, key.generationId, () => ({ status: 'failed' }));
  expect(await take(database, key)).toMatchObject({ kind: 'recorded', attempt: { status: 'canceled' } });
  expect(await plan(database, key.generationId)).toEqual({ action: 'stop' });
});

test('what waits to be sent can be let go, what was sent cannot', async () => {
  const waiting = await beginAttempt(database);
  const sent = await beginTaken(database);
  await releaseAttempt(database, waiting);
  await releaseAttempt(database, sent);
  expect([await statusOf(database, waiting), await statusOf(database, sent)]).toEqual(['canceled', 'submitting']);
});

test('finds what runs on at a provider after its generation has ended', async () => {
  const key = await beginTaken(database);
  await recordSubmitted(database, key, acceptance());
  const isListed = async () =>
    (await listUnwatched(database, 0)).some(({ generationId }) => generationId === key.generationId);
  expect(await isListed()).toBe(false);
  await publishChange(database, key.generationId, () => ({ status: 'canceled' }));
  expect(await isListed()).toBe(true);
});
