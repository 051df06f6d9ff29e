import { createSigningKeys, isTimely } from '../../src/providers/callback-signatures';
import { sign } from 'node:crypto';
import { makeCall } from '../support/provider-calls';
import { makeEd25519, makeRsa, toKeySet, type KeyPair } from '../support/signed-callbacks';

const minute = 60_000;

/** The set of keys a provider publishes, and how often it was asked for it. */
const useKeys = (...published: KeyPair[]) => {
  const state = { published, nowMs: 0, asked: 0 };
  const isSigned = createSigningKeys(
    () => {
      state.asked += 1;
      return Promise.resolve(toKeySet(...state.published));
    },
    () => state.nowMs,
  );
  const check = (by: KeyPair, baseUrl = 'http://127.0.0.1:1') => {
    const signature = sign(null, Buffer.from('m'), by.privateKey);
    return isSigned(makeCall(baseUrl), (key) => key.signed('m', signature));
  };
  return { state, check };
};

test('keeps the keys for an hour', async () => {
  const key = makeEd25519();
  const { state, check } = useKeys(key);
  expect(await check(key)).toBe(true);
  state.nowMs = 59 * minute;
  expect(await check(key)).toBe(true);
  expect(state.asked).toBe(1);
  state.nowMs = 60 * minute;
  expect(await check(key)).toBe(true);
  expect(state.asked).toBe(2);
});

test('asks once more for a key it does not know, but not for every forgery', async () => {
  const [old, next, nobody] = [makeEd25519(), makeEd25519(), makeEd25519()] as const;
  const { state, check } = useKeys(old);
  expect(await check(old)).toBe(true);
  state.published = [next];
  state.nowMs = 2 * minute;
  expect(await check(next)).toBe(true);
  expect(state.asked).toBe(2);
  for (let forgery = 0; forgery < 5; forgery += 1) expect(await check(nobody)).toBe(false);
  expect(state.asked).toBe(2);
});

test('does not trust a key that was withdrawn', async () => {
  const [old, next] = [makeEd25519(), makeEd25519()] as const;
  const { state, check } = useKeys(old);
  expect(await check(old)).toBe(true);
  state.published = [next];
  state.nowMs = 61 * minute;
  expect(await check(old)).toBe(false);
});

test('keeps the keys of different addresses apart', async () => {
  const key = makeEd25519();
  const { state, check } = useKeys(key);
  await check(key, 'http://127.0.0.1:1');
  await check(key, 'http://127.0.0.1:2');
  expect(state.asked).toBe(2);
});

test('passes over keys it cannot use', async () => {
  const key = makeEd25519();
  const keys = [{ kty: 'oct', k: 'AA' }, { kty: 'OKP', crv: 'Ed25519', x: '!' }, ...toKeySet(makeRsa(), key).keys];
  const isSigned = createSigningKeys(() => Promise.resolve({ keys }));
  const signature = sign(null, Buffer.from('m'), key.privateKey);
  expect(await isSigned(makeCall('http://127.0.0.1:1'), (one) => one.signed('m', signature))).toBe(true);
});

test.each([
  ['1763719200', '2025-11-21T10:04:59Z', true],
  ['1763719200', '2025-11-21T10:05:01Z', false],
  ['1763719200', '2025-11-21T09:54:59Z', false],
  ['-1', '1970-01-01T00:00:00Z', false],
  ['1e9', '2001-09-09T01:46:40Z', false],
])('judges the time %s by when it came, %s: %s', (seconds, receivedAt, expected) => {
  expect(isTimely({ headers: { 'x-sureshot-received-at': receivedAt }, body: '' }, seconds)).toBe(expected);
});

test('takes a message that nobody noted the arrival of for one that comes now', () => {
  const now = String(Math.floor(Date.now() / 1_000));
  expect(isTimely({ headers: {}, body: '' }, now)).toBe(true);
  expect(isTimely({ headers: {}, body: '' }, '1763719200')).toBe(false);
  expect(isTimely({ headers: {}, body: '' }, undefined)).toBe(false);
});
