import { readRefusal, redirectHosts, toFailure, toLook, toResult } from '../../../src/providers/fal/wire';
import { modelOf } from '../../support/provider-calls';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
});

const policy = { detail: [{ loc: ['body', 'prompt'], msg: 'flagged', type: 'content_policy_violation' }] };

test.each([
  ['a content refusal', answer(422, policy), 'provider_content_rejected', 'no'],
  ['a wrong field', answer(422, { detail: [{ msg: 'bad', type: 'value_error' }] }), 'caller_invalid_request', 'no'],
  [
    'a used-up balance',
    answer(403, { detail: 'User is locked. Reason: Exhausted balance.' }),
    'provider_insufficient_funds',
    'no',
  ],
  ['a wrong key', answer(401, { detail: 'No user found' }), 'provider_auth', 'no'],
  ['an unknown app', answer(404, { detail: 'Not found' }), 'provider_model_not_found', 'no'],
  ['too many requests', answer(429, { detail: 'slow down' }), 'provider_rate_limited', 'no'],
  ['its own 500', answer(500, { detail: 'oops', error_type: 'internal_error' }), 'provider_server_error', 'no'],
  [
    'its own 503',
    answer(503, { detail: 'no runner', error_type: 'runner_scheduling_failure' }),
    'provider_overloaded',
    'no',
  ],
  ["a proxy's 503", answer(503, '<html>'), 'provider_overloaded', 'unknown'],
  ["a proxy's 502", answer(502, '<html>'), 'provider_server_error', 'unknown'],
  ['its own 504', answer(504, { detail: 'late', error_type: 'request_timeout' }), 'provider_timeout', 'unknown'],
])('reads %s', (_name, refused, code, accepted) => {
  expect(readRefusal(refused, 'submit')).toMatchObject({ code, accepted });
});

test('knows failed and cancelled work by what COMPLETED adds', () => {
  expect(toLook({ status: 'IN_QUEUE', queue_position: 3 })).toEqual({ state: 'pending', progress: 0 });
  expect(toLook({ status: 'COMPLETED' })).toEqual({ state: 'completed', error: null });
  expect(toLook({ status: 'COMPLETED', error: 'boom', error_type: 'x' })).toEqual({
    state: 'completed',
    error: 'boom',
  });
  expect(toLook({ status: 'COMPLETED', error: 'gone', error_type: 'client_cancelled' })).toEqual({ state: 'canceled' });
});

test('takes a refused result for failed work only where it speaks of the work', () => {
  expect(toFailure(answer(422, policy), null)).toMatchObject({ code: 'provider_content_rejected' });
  expect(toFailure(answer(500, { detail: 'boom' }), 'boom')).toMatchObject({
    code: 'provider_failed',
    chargedUsd: '0',
  });
  expect(toFailure(answer(500, 'proxy'), null)).toBeNull();
  expect(toFailure(answer(401, { detail: 'key' }), 'boom')).toBeNull();
  expect(toFailure(answer(429, { detail: 'slow' }), 'boom')).toBeNull();
});

test.each([
  ['no_media_generated', 'provider_failed'],
  ['downstream_service_error', 'provider_failed'],
  ['image_too_large', 'caller_invalid_request'],
])('reads a result refused for %s as %s', (type, code) => {
  expect(toFailure(answer(422, { detail: [{ msg: 'm', type }] }), null)).toMatchObject({ state: 'failed', code });
});

test('leaves an address of somebody else as it is', () => {
  const url = 'https://v3.fal.media/files/a?signature=s';
  expect(redirectHosts('http://e/fal')(new URL(url)).href).toBe(url);
});

test('withholds what the safety checker blackened', () => {
  const images = [{ url: 'https://x/1' }, { url: 'https://x/2' }];
  const model = modelOf('fal/flux/dev');
  expect(toResult(model, { id: 'r' }, { images, has_nsfw_concepts: [true, false] })).toMatchObject({
    state: 'succeeded',
    outputs: [{ url: 'https://x/2' }],
    warnings: ['1 of 2 images were withheld by the safety checker'],
  });
  expect(toResult(model, { id: 'r' }, { images, has_nsfw_concepts: [true, true] })).toMatchObject({
    state: 'failed',
    code: 'provider_content_rejected',
  });
});

test.each([
  ['https://queue.fal.run/fal-ai/x?logs=0', 'http://e/fal/fal-ai/x?logs=0'],
  ['https://rest.fal.ai/storage', 'http://e/fal/rest/storage'],
  ['https://api.fal.ai/v1/models', 'http://e/fal/platform/v1/models'],
])('moves %s below the base URL', (from, to) => {
  expect(redirectHosts('http://e/fal/')(new URL(from)).href).toBe(to);
  expect(redirectHosts(null)(new URL(from)).href).toBe(from);
});
