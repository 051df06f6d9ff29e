import { readRefusal, toOutcome } from '../../../src/providers/runway/wire';
import { thrownBy } from '../../support/provider-calls';

const operation = { id: 'task-1', seconds: 5 };
const refused = (status: number, body: unknown) => ({ status, headers: {}, text: JSON.stringify(body) });

test('reads what a finished task made and cost', () => {
  const task = { id: 'task-1', status: 'SUCCEEDED', output: ['https://x/a.mp4?_jwt=1'], cost: { credits: 60 } };
  expect(toOutcome(task, operation)).toEqual({
    state: 'succeeded',
    outputs: [{ kind: 'url', url: 'https://x/a.mp4?_jwt=1', contentType: null }],
    usage: { inputTokens: null, outputTokens: null, characters: null, seconds: 5, images: null },
    warnings: [],
    chargedUsd: '0.6',
  });
});

test.each([
  ['SAFETY.INPUT.TEXT', 'provider_content_rejected'],
  ['SAFETY.OUTPUT.VIDEO', 'provider_content_rejected'],
  ['INPUT_PREPROCESSING.SAFETY.TEXT', 'caller_invalid_request'],
  ['ASSET.INVALID', 'caller_invalid_request'],
  ['INTERNAL.BAD_OUTPUT.CODE01', 'provider_failed'],
  [undefined, 'provider_failed'],
])('reads the failure %s as %s', (failureCode, code) => {
  const task = { id: 'task-1', status: 'FAILED', failure: 'no', failureCode, cost: { credits: 0 } };
  expect(toOutcome(task, operation)).toMatchObject({ state: 'failed', code, chargedUsd: '0' });
});

test('reads a throttled task as waiting', () => {
  expect(toOutcome({ status: 'THROTTLED' }, operation)).toMatchObject({ state: 'pending', progress: 0, operation });
});

test.each([{}, '<html>', { status: 'SUCCEEDED', output: [] }, { status: 'NEW' }])(
  'does not take %j for a task',
  (body) => {
    expect(thrownBy(() => toOutcome(body, operation))).toMatchObject({ code: 'provider_bad_response' });
  },
);

test.each([
  [400, { error: 'Validation of body failed' }, 'caller_invalid_request', 'no'],
  [400, { error: 'You do not have enough credits to run this task.' }, 'provider_insufficient_funds', 'no'],
  [401, { error: 'Unauthorized' }, 'provider_auth', 'no'],
  [429, { error: 'daily limit' }, 'provider_rate_limited', 'no'],
  [500, { error: 'x' }, 'provider_server_error', 'unknown'],
  [502, { error: 'x' }, 'provider_overloaded', 'no'],
  [503, { error: 'x' }, 'provider_overloaded', 'no'],
  [504, { error: 'x' }, 'provider_timeout', 'unknown'],
])('reads %d %j as %s, accepted %s', (status, body, code, accepted) => {
  expect(readRefusal(refused(status, body), 'submit')).toMatchObject({ code, accepted });
});
