import { ulid } from 'ulid';
import type { Workflows } from '../../src/api/dependencies';
import { makeCandidate } from '../support/generation-data';
import { eventually } from '../support/stack';
import { endGeneration, now, startApi, videoRequest, withKey, type Answer, type ApiServer } from './api-server';

let api: ApiServer;
/** Whose workflow was told that something was decided. */
const told: string[] = [];

const workflows: Workflows = {
  start: () => undefined,
  cancel: () => Promise.resolve(),
  resolve: (id) => Promise.resolve(void told.push(id)),
  callBack: () => Promise.resolve(),
  isReachable: () => Promise.resolve(true),
  probe: () => Promise.reject(new Error('no workflow service here')),
};

beforeAll(async () => {
  api = await startApi({ workflows });
});

afterAll(() => api.close());

type Row = { status: string; [column: string]: unknown };

const ambiguous: Row = {
  status: 'ambiguous',
  ...{
    errorCode: 'provider_submit_ambiguous',
    errorMessage: 'the answer was lost',
    possibleCostUsd: '2',
    endedAt: now,
  },
};

type Made = { attempts?: Row[]; candidates?: string[]; isHeld?: boolean; headers?: Record<string, string> };

/** A running generation that is held for its last attempt. */
const hold = async ({ attempts = [ambiguous], isHeld = true, headers = {}, ...more }: Made = {}): Promise<string> => {
  const { candidates = ['mock/video', 'fal/veo3.1'] } = more;
  const { id } = (await api.call('POST /v1/generations', videoRequest, headers)).body;
  for (const [index, attempt] of attempts.entries())
    await api.database.attempt.create({
      data: {
        ...{ generationId: id, number: index + 1, provider: 'mock', model: 'mock/video', priceVersion: 'made up' },
        ...{ credential: 'main', sentAt: now, estimatedUsd: '2', epoch: 1 },
        ...attempt,
      },
    });
  const decision = { strategy: 'balanced', variant: null, candidates: candidates.map((model) => makeCandidate(model)) };
  const data = { status: 'running', phase: 'needs_attention', decision, heldAt: isHeld ? now : null };
  await api.database.generation.update({ where: { id }, data });
  return id;
};

const resolve = (id: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  api.call(`POST /v1/generations/${id}/resolve`, body, headers);

const attemptsOf = (generationId: string) =>
  api.database.attempt.findMany({ where: { generationId }, orderBy: { number: 'asc' } });

const resolutionsOf = async (generationId: string) =>
  (await api.database.event.findMany({ where: { generationId, type: 'generation.resolution' } })).map(
    ({ data }) => data,
  );

/** Nothing of the ledger has changed, and nobody was told. */
const refuses = async (id: string, body: unknown, expected: { status: number; code: string }): Promise<Answer> => {
  const before = await attemptsOf(id);
  const answer = await resolve(id, body);
  expect({ status: answer.status, code: answer.body.code }).toEqual(expected);
  expect(await attemptsOf(id)).toEqual(before);
  expect(await resolutionsOf(id)).toEqual([]);
  expect(told).not.toContain(id);
  return answer;
};

const conflict = { status: 409, code: 'caller_conflict' };
const invalid = { status: 422, code: 'caller_invalid_request' };

// Promise 2: "Never silently paid twice. At most one paid submit per attempt unless a recorded policy or person decided
// otherwise; a submit whose fate is unknown is a visible state, not a retry."
describe('a person decides about a submit whose answer was lost', () => {
  test.each(['resubmit', 'fail_over'])('%s is written down, and the workflow is told', async (action) => {
    const id = await hold();
    const { status, body } = await resolve(id, { action });
    expect({ status, body }).toMatchObject({ status: 200, body: { id, attempts: [{ status: 'ambiguous' }] } });
    const [attempt] = await attemptsOf(id);
    expect(attempt?.resolution).toMatchObject({ action, operation: null, at: expect.stringMatching(/Z$/) as string });
    // it may have been charged all the same
    expect(attempt?.possibleCostUsd?.toFixed()).toBe('2');
    expect(await resolutionsOf(id)).toEqual([{ number: 1, action }]);
    await eventually(() => Promise.resolve(told.includes(id)));
  });

  test('adopt makes the attempt the owner of the operation that was found', async () => {
    const [id, operation] = [await hold(), `operation-${ulid()}`];
    const { status, body } = await resolve(id, { action: 'adopt', operation });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { attempts: [{ status: 'submitted', operation, error: null, possibleCostUsd: null, endedAt: null }] },
    });
    expect((await attemptsOf(id))[0]).toMatchObject({
      operation: { id: operation },
      resolution: { action: 'adopt', operation },
    });
    expect(await resolutionsOf(id)).toEqual([{ number: 1, action: 'adopt' }]);
  });

  test('abandon says that it was never charged', async () => {
    const id = await hold();
    const { status, body } = await resolve(id, { action: 'abandon' });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        attempts: [{ status: 'ambiguous', possibleCostUsd: null, costUsd: '0' }],
        cost: { possibleUsd: '0', actualUsd: '0' },
      },
    });
  });

  test('about one attempt of several by its number, else about the last one that is ambiguous', async () => {
    const attempts = [ambiguous, { status: 'rejected', errorCode: 'provider_auth' }, ambiguous];
    const id = await hold({ attempts });
    await resolve(id, { action: 'abandon', attempt: 1 });
    const first = await attemptsOf(id);
    expect(first.map(({ resolution }) => resolution !== null)).toEqual([true, false, false]);
    await resolve(id, { action: 'resubmit' });
    const second = await attemptsOf(id);
    expect(second.map(({ resolution }) => resolution !== null)).toEqual([true, false, true]);
    expect(await resolutionsOf(id)).toEqual([
      { number: 1, action: 'abandon' },
      { number: 3, action: 'resubmit' },
    ]);
  });
});

describe('after the end', () => {
  test('abandon takes the possible cost away', async () => {
    const id = await hold();
    await endGeneration(api.database, id, 'failed');
    expect((await api.call(`GET /v1/generations/${id}`)).body.cost).toMatchObject({ possibleUsd: '2' });
    const { status, body } = await resolve(id, { action: 'abandon' });
    expect({ status, body }).toMatchObject({ status: 200, body: { status: 'failed', cost: { possibleUsd: '0' } } });
  });

  test('adopt gives the operation an owner, and the end stays what it was', async () => {
    const [id, operation] = [await hold(), `operation-${ulid()}`];
    await endGeneration(api.database, id, 'failed');
    expect((await resolve(id, { action: 'adopt', operation })).body).toMatchObject({
      status: 'failed',
      attempts: [{ status: 'submitted', operation }],
    });
  });

  test.each(['resubmit', 'fail_over'])('%s is refused: nothing is held any more', async (action) => {
    const id = await hold();
    await endGeneration(api.database, id, 'failed');
    const { body } = await refuses(id, { action }, conflict);
    expect(body.detail).toContain('nothing is held');
  });
});

describe('a decision is refused', () => {
  test('where no submit was lost', async () => {
    const id = await hold({ attempts: [{ status: 'submitted', operationId: `operation-${ulid()}` }] });
    const { body } = await refuses(id, { action: 'abandon' }, conflict);
    expect(body.detail).toBe('no submit of it is held');
    await refuses(id, { action: 'abandon', attempt: 1 }, conflict);
    await refuses(id, { action: 'abandon', attempt: 9 }, conflict);
  });

  test('where nothing is held: the policy has gone on by itself', async () => {
    const id = await hold({ isHeld: false });
    await refuses(id, { action: 'resubmit' }, conflict);
    const gone = await hold({ attempts: [{ ...ambiguous, supersededBy: 2 }, { status: 'planned' }] });
    await refuses(gone, { action: 'fail_over' }, conflict);
  });

  test('when it was decided already', async () => {
    const id = await hold();
    expect((await resolve(id, { action: 'resubmit' })).status).toBe(200);
    for (const action of ['resubmit', 'fail_over']) {
      const { status, body } = await resolve(id, { action });
      expect({ status, code: body.code, detail: body.detail }).toEqual({
        ...conflict,
        detail: 'it was decided already, and is about to go on',
      });
    }
    expect(await resolutionsOf(id)).toHaveLength(1);
  });

  test('of two at the same time one is written down', async () => {
    const id = await hold();
    const answers = await Promise.all(['resubmit', 'fail_over', 'resubmit'].map((action) => resolve(id, { action })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(await resolutionsOf(id)).toHaveLength(1);
  });

  test('to fail over where nobody is left', async () => {
    const { body } = await refuses(await hold({ candidates: ['mock/video'] }), { action: 'fail_over' }, conflict);
    expect(body.detail).toContain('no further candidate');
  });

  test('to adopt an operation that another attempt has, whoever’s it is', async () => {
    const operationId = `operation-${ulid()}`;
    const owner = await hold({ attempts: [{ status: 'submitted', operationId }] });
    const { body } = await refuses(await hold(), { action: 'adopt', operation: operationId }, conflict);
    expect(body.detail).toContain(owner);
    const otherKey = await hold({ attempts: [{ ...ambiguous, credential: 'another' }] });
    expect(await resolve(otherKey, { action: 'adopt', operation: operationId })).toMatchObject({ status: 200 });
  });

  test('to adopt an operation of another tenant, without telling whose it is', async () => {
    const headers = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit', 'read'] }));
    const operationId = `operation-${ulid()}`;
    const foreign = await hold({ headers, attempts: [{ status: 'submitted', operationId }] });
    const { body } = await refuses(await hold(), { action: 'adopt', operation: operationId }, conflict);
    expect(JSON.stringify(body)).not.toContain(foreign);
  });

  test('of two who adopt the same operation at the same time one is refused', async () => {
    const [one, other, operation] = [await hold(), await hold(), `operation-${ulid()}`];
    const answers = await Promise.all([one, other].map((id) => resolve(id, { action: 'adopt', operation })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('caller_conflict');
    expect(await api.database.attempt.count({ where: { operationId: operation } })).toBe(1);
  });

  test.each([
    ['adopt without an operation', { action: 'adopt' }, '/operation'],
    ['adopt of an operation without a name', { action: 'adopt', operation: '' }, '/operation'],
    ['resubmit with an operation', { action: 'resubmit', operation: 'operation-1' }, '/operation'],
    ['abandon with an operation', { action: 'abandon', operation: 'operation-1' }, '/operation'],
    ['an action that there is not', { action: 'wish' }, '/action'],
    ['no action', {}, '/action'],
    ['a field that there is not', { action: 'abandon', wish: 1 }, '/wish'],
    ['attempt 0', { action: 'abandon', attempt: 0 }, '/attempt'],
  ])('with %s', async (_what, body, pointer) => {
    const answer = await refuses(await hold(), body, invalid);
    expect(answer.body.errors.map((error) => error.pointer)).toEqual([pointer]);
  });

  test('of another tenant, of nobody, and without the right', async () => {
    const id = await hold();
    const stranger = withKey(await api.addKey({ tenant: await api.addTenant(), scopes: ['submit'] }));
    const reader = withKey(await api.addKey({ scopes: ['read'] }));
    expect(await resolve(id, { action: 'abandon' }, stranger)).toMatchObject({ status: 404 });
    expect(await resolve(`gen_${ulid()}`, { action: 'abandon' })).toMatchObject({ status: 404 });
    expect(await resolve(id, { action: 'abandon' }, reader)).toMatchObject({ status: 403 });
    expect(await resolutionsOf(id)).toEqual([]);
  });
});
