import { ulid } from 'ulid';
import type { ResolutionAction } from '../../src/domain/next-attempt';
import {
  readAttempt,
  recordEnding,
  recordSubmitted,
  recordSucceeded,
  type AttemptKey,
} from '../../src/stores/attempts';
import type { Database } from '../../src/stores/database';
import { publishChange } from '../../src/stores/generations';
import { listDecided, listUnwatched } from '../../src/stores/reconciliation';
import { resolveAmbiguous, type Decision } from '../../src/stores/resolutions';
import {
  acceptance,
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

const lose = (key: AttemptKey) =>
  recordEnding(database, key, {
    ...{ status: 'ambiguous', code: 'provider_submit_ambiguous', message: 'the answer was lost', costUsd: null },
    from: ['submitting'],
  });

/** A generation that is held because the answer to its first submit was lost. */
const hold = async (): Promise<AttemptKey> => {
  const key = await beginTaken(database);
  await lose(key);
  expect(await plan(database, key.generationId, { onAmbiguous: 'hold' })).toMatchObject({ action: 'hold' });
  return key;
};

const decide = (id: string, action: ResolutionAction, more: Partial<Decision> = {}) =>
  resolveAmbiguous(database, { tenantId, id }, { action, operation: null, attempt: null, ...more });

const generationOf = (id: string) => database.generation.findUniqueOrThrow({ where: { id } });

const planHeld = (id: string) => plan(database, id, { onAmbiguous: 'hold' });

// Promise 2: "Never silently paid twice. At most one paid submit per attempt unless a recorded policy or person decided
// otherwise; a submit whose fate is unknown is a visible state, not a retry."
describe('a held generation goes on as was decided', () => {
  test('resubmit: the same model once more, the lost one stays ambiguous', async () => {
    const key = await hold();
    await decide(key.generationId, 'resubmit');
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'attempt', number: 2, model: 'acme/clip' });
    expect(await statusesOf(database, key.generationId)).toEqual(['ambiguous', 'planned']);
    expect((await readAttempt(database, key)).possibleCostUsd?.toFixed()).toBe('0.04');
  });

  test('a second lost answer is held again: one decision is for one submit', async () => {
    const key = await hold();
    await decide(key.generationId, 'resubmit');
    await planHeld(key.generationId);
    await take(database, next(key));
    await lose(next(key));
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'hold' });
    await decide(key.generationId, 'fail_over');
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'attempt', number: 3, model: 'brick/reel' });
  });

  test('fail_over: the next candidate, also where the request wished for no fallback', async () => {
    const key = await hold();
    await decide(key.generationId, 'fail_over');
    const planned = await plan(database, key.generationId, { onAmbiguous: 'hold', fallback: false });
    expect(planned).toMatchObject({ action: 'attempt', number: 2, model: 'brick/reel' });
  });

  test('adopt: the operation is gone on with, nothing is sent', async () => {
    const key = await hold();
    const operation = `operation-${ulid()}`;
    await decide(key.generationId, 'adopt', { operation });
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'attempt', number: 2, model: 'acme/clip' });
    expect(await statusesOf(database, key.generationId)).toEqual(['superseded', 'submitted']);
    expect(await readAttempt(database, next(key))).toMatchObject({ operationId: operation, possibleCostUsd: null });
    expect(await take(database, next(key))).toMatchObject({ kind: 'recorded' });
  });

  test('abandon: it ends, free of charge', async () => {
    const key = await hold();
    await decide(key.generationId, 'abandon');
    expect(await planHeld(key.generationId)).toEqual({ action: 'stop' });
    const { status, costUsd, possibleCostUsd } = await readAttempt(database, key);
    expect({ status, cost: costUsd?.toFixed(), possibleCostUsd }).toEqual({
      ...{ status: 'ambiguous', cost: '0', possibleCostUsd: null },
    });
  });
});

describe('a hold', () => {
  test('stops the deadline, and the decision lets it go on', async () => {
    const key = await hold();
    const { deadlineAt, phase, heldAt } = await generationOf(key.generationId);
    expect({ phase, isHeld: heldAt !== null }).toEqual({ phase: 'needs_attention', isHeld: true });
    await database.$executeRaw`
      UPDATE generations SET held_at = held_at - interval '2 hours' WHERE id = ${key.generationId}`;
    await decide(key.generationId, 'resubmit');
    await planHeld(key.generationId);
    const after = await generationOf(key.generationId);
    expect(after.heldAt).toBeNull();
    const moved = after.deadlineAt.getTime() - deadlineAt.getTime();
    expect(moved).toBeGreaterThanOrEqual(7_200_000);
    expect(moved).toBeLessThan(7_260_000);
    expect(await take(database, next(key))).toMatchObject({ kind: 'taken' });
  });

  test('ends after its time, and its possible cost stays', async () => {
    const key = await hold();
    await database.$executeRaw`
      UPDATE generations SET held_at = held_at - interval '25 hours' WHERE id = ${key.generationId}`;
    expect(await planHeld(key.generationId)).toEqual({ action: 'stop' });
    expect((await readAttempt(database, key)).possibleCostUsd?.toFixed()).toBe('0.04');
  });

  test('that was decided, or is overdue, is found although its workflow was not told', async () => {
    const [decided, open, overdue] = [await hold(), await hold(), await hold()];
    await decide(decided.generationId, 'resubmit');
    await database.$executeRaw`
      UPDATE generations SET held_at = held_at - interval '25 hours' WHERE id = ${overdue.generationId}`;
    const found = (await listDecided(database, 24 * 3_600_000)).map(({ id }) => id);
    expect(found).toEqual(expect.arrayContaining([decided.generationId, overdue.generationId]));
    expect(found).not.toContain(open.generationId);
  });
});

describe('an answer that comes after all', () => {
  test('while it is held: the attempt has its operation, there is nothing to decide any more', async () => {
    const key = await hold();
    const answer = acceptance();
    await recordSubmitted(database, key, answer);
    expect(await readAttempt(database, key)).toMatchObject({
      status: 'submitted',
      possibleCostUsd: null,
      errorCode: null,
    });
    await expect(decide(key.generationId, 'resubmit')).rejects.toMatchObject({ code: 'caller_conflict' });
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'attempt', number: 2 });
    expect((await readAttempt(database, next(key))).operationId).toBe(answer.operation.id);
  });

  // Promise 9: "Cancel means cancelled at the provider too, and a late result is still accounted for."
  test('after it was resubmitted: it has a row, and is watched to its end and booked', async () => {
    const key = await hold();
    await decide(key.generationId, 'resubmit');
    await planHeld(key.generationId);
    const answer = acceptance();
    await recordSubmitted(database, key, answer);
    expect(await statusesOf(database, key.generationId)).toEqual(['submitted', 'planned']);
    await database.attempt.updateMany({ where: key, data: { submittedAt: new Date(Date.now() - 60_000) } });
    expect(await listUnwatched(database, 5)).toContainEqual(key);
    await recordSucceeded(database, key, result({ costUsd: '0.03' }));
    expect((await readAttempt(database, key)).costUsd?.toFixed()).toBe('0.03');
    expect(await planHeld(key.generationId)).toMatchObject({ action: 'attempt', number: 3 });
  });
});

describe('after the end', () => {
  const endHeld = async (): Promise<AttemptKey> => {
    const key = await hold();
    await publishChange(database, key.generationId, () => ({ status: 'failed' }));
    return key;
  };

  test('abandon corrects the possible cost, and an event tells', async () => {
    const key = await endHeld();
    await decide(key.generationId, 'abandon');
    expect(await readAttempt(database, key)).toMatchObject({ possibleCostUsd: null });
    expect((await eventsOf(database, key.generationId)).at(-1)).toMatchObject({
      ...{ type: 'generation.resolution', data: { number: 1, action: 'abandon' } },
    });
    expect(await generationOf(key.generationId)).toMatchObject({ status: 'failed' });
  });

  test('adopt makes it work that is watched', async () => {
    const key = await endHeld();
    await decide(key.generationId, 'adopt', { operation: `operation-${ulid()}` });
    await database.generation.update({
      where: { id: key.generationId },
      data: { completedAt: new Date(Date.now() - 60_000) },
    });
    expect(await listUnwatched(database, 5)).toContainEqual(key);
  });

  test('what was abandoned may still be adopted, when it is found after all', async () => {
    const key = await endHeld();
    await decide(key.generationId, 'abandon');
    const operation = `operation-${ulid()}`;
    await decide(key.generationId, 'adopt', { operation });
    const { status, operationId, costUsd } = await readAttempt(database, key);
    expect({ status, operationId, costUsd }).toEqual({ status: 'submitted', operationId: operation, costUsd: null });
  });

  test('an attempt that was settled otherwise cannot be decided about', async () => {
    const key = await endHeld();
    await setStatus(database, key, 'rejected');
    await expect(decide(key.generationId, 'abandon')).rejects.toMatchObject({ code: 'caller_conflict' });
  });
});

test('is nothing to another tenant', async () => {
  const key = await hold();
  const decision = { action: 'abandon', operation: null, attempt: null } as const;
  expect(await resolveAmbiguous(database, { tenantId: 'ten_other', id: key.generationId }, decision)).toBeNull();
  expect((await readAttempt(database, key)).resolution).toBeNull();
});
