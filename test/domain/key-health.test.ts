import fc from 'fast-check';
import type { Told } from '../../src/domain/breaker';
import {
  afterTrouble,
  faultsBeforeRest,
  isNewPause,
  troubleOf,
  type KeyHealth,
  type Trouble,
} from '../../src/domain/key-health';

const well: KeyHealth = { failures: 0, pausedUntil: null, disabledBy: null, lastErrorAt: null };
const start = Date.parse('2026-11-21T12:00:00Z');
const at = (seconds: number): Date => new Date(start + seconds * 1000);
const hour = 3_600;
const cooldownSeconds = 30;

const limited = (retryAfterMs: number | null = null): Trouble => ({ kind: 'limited', retryAfterMs });
const fault = (retryAfterMs: number | null = null): Trouble => ({ kind: 'fault', retryAfterMs });
const refused: Trouble = { kind: 'refused', code: 'provider_auth' };

/** As long as it rests from now on, in seconds. */
const restAt = ({ pausedUntil }: KeyHealth, seconds: number): number =>
  pausedUntil === null ? 0 : (pausedUntil.getTime() - at(seconds).getTime()) / 1000;

type Moment = { trouble: Trouble; sent: number | null; told: number };

const after = (health: KeyHealth, { trouble, sent, told }: Moment): KeyHealth =>
  afterTrouble(health, trouble, { now: at(told), sentAt: sent === null ? null : at(sent), cooldownSeconds });

/** Each is sent after the one before was refused. */
const inTurn = (...troubles: Trouble[]): KeyHealth =>
  troubles.reduce((health, trouble, index) => after(health, { trouble, sent: index, told: index + 0.5 }), well);

describe('what an error means for its key', () => {
  test.each<[string, Told, Trouble | null]>([
    ['a refused key', { code: 'provider_auth', scope: 'credential', httpStatus: 401 }, refused],
    [
      'no money',
      { code: 'provider_insufficient_funds', scope: 'credential', httpStatus: 402 },
      { kind: 'refused', code: 'provider_insufficient_funds' },
    ],
    ['a model of others', { code: 'provider_auth', scope: 'model', httpStatus: 403 }, null],
    ['a key that we do not have', { code: 'provider_auth', scope: 'credential', httpStatus: null }, null],
    [
      'a rate limit with its time',
      { code: 'provider_rate_limited', scope: 'credential', httpStatus: 429, retryAfterMs: 1_500 },
      limited(1_500),
    ],
    ['a rate limit without', { code: 'provider_rate_limited', scope: 'credential', httpStatus: 429 }, limited()],
    ['a rate limit of no time', { code: 'provider_rate_limited', scope: 'credential', retryAfterMs: 0 }, limited()],
    ['a fault', { code: 'provider_server_error', scope: 'provider', httpStatus: 500 }, fault()],
    [
      'an overloaded provider',
      { code: 'provider_overloaded', scope: 'provider', httpStatus: 503, retryAfterMs: 9_000 },
      fault(9_000),
    ],
    [
      'an overloaded model',
      { code: 'provider_overloaded', scope: 'model', httpStatus: 503, retryAfterMs: 9_000 },
      fault(),
    ],
    ['refused content', { code: 'provider_content_rejected', scope: 'request', httpStatus: 400 }, null],
    ['a wrong request', { code: 'caller_invalid_request', scope: 'request', httpStatus: 422 }, null],
    ['our own fault', { code: 'system_internal', scope: 'request', httpStatus: null }, null],
  ])('%s', (_name, told, trouble) => {
    expect(troubleOf(told)).toEqual(trouble);
  });
});

describe('a rate limit', () => {
  test('pauses the key for as long as the provider says', () => {
    const health = after(well, { trouble: limited(12_345), sent: 0, told: 1 });
    expect(health).toEqual({ failures: 1, pausedUntil: at(13.345), disabledBy: null, lastErrorAt: at(1) });
  });

  test('without a time pauses it for twice as long each time in a row, up to an hour', () => {
    const rests = [1, 2, 3, 4, 7, 8, 30].map((count) => {
      const health = inTurn(...Array.from({ length: count }, () => limited()));
      return restAt(health, count - 0.5);
    });
    expect(rests).toEqual([30, 60, 120, 240, 1_920, hour, hour]);
  });

  test('of ten that were under way together is one', () => {
    let health = well;
    for (let index = 0; index < 10; index += 1)
      health = after(health, { trouble: limited(), sent: index / 100, told: 1 + index / 10 });
    expect(health.failures).toBe(1);
    expect(restAt(health, 1.9)).toBe(30);
    // the one after the pause is another
    health = after(health, { trouble: limited(), sent: 40, told: 41 });
    expect(health.failures).toBe(2);
    expect(restAt(health, 41)).toBe(60);
  });

  test('never ends a pause that lasts longer', () => {
    const health = after(inTurn(limited(600_000)), { trouble: limited(1_000), sent: 5, told: 6 });
    expect(health.pausedUntil).toEqual(at(600.5));
  });

  test('of a look pauses the key and makes its row no longer', () => {
    const health = after(inTurn(limited()), { trouble: limited(), sent: null, told: 100 });
    expect(health.failures).toBe(1);
    expect(restAt(health, 100)).toBe(30);
    expect(restAt(after(well, { trouble: limited(5_000), sent: null, told: 1 }), 1)).toBe(5);
  });

  test('for more than a week is a mistake of the provider', () => {
    expect(restAt(after(well, { trouble: limited(1e15), sent: 0, told: 1 }), 1)).toBe(7 * 24 * hour);
  });
});

describe('faults', () => {
  test('rest the key from the third in a row on, for twice as long each time, up to an hour', () => {
    const rests = [1, 2, 3, 4, 5, 40].map((count) =>
      restAt(inTurn(...Array.from({ length: count }, () => fault())), count - 0.5),
    );
    expect(rests).toEqual([0, 0, 30, 60, 120, hour]);
  });

  test('that were under way together are a row, but not a longer rest', () => {
    let health = well;
    for (let index = 0; index < 10; index += 1) health = after(health, { trouble: fault(), sent: 0, told: 1 });
    expect(health.failures).toBe(faultsBeforeRest);
    expect(restAt(health, 1)).toBe(30);
  });

  test('with a time pause the key for that time', () => {
    expect(restAt(after(well, { trouble: fault(7_000), sent: 0, told: 1 }), 1)).toBe(7);
    const third = inTurn(fault(), fault(), fault(100_000));
    expect(restAt(third, 2.5)).toBe(100);
  });

  test('of looks rest nobody', () => {
    const before = inTurn(fault(), fault(), fault());
    const health = after(before, { trouble: fault(), sent: null, told: 90 });
    expect(health).toEqual({ ...before, lastErrorAt: at(90) });
  });
});

describe('a refused key', () => {
  test('is switched off, and stays so for its first reason', () => {
    expect(inTurn(refused)).toMatchObject({ disabledBy: 'provider_auth', pausedUntil: null, failures: 1 });
    const again = inTurn(refused, { kind: 'refused', code: 'provider_insufficient_funds' });
    expect(again.disabledBy).toBe('provider_auth');
    expect(after({ ...well, disabledBy: 'operator' }, { trouble: refused, sent: 0, told: 1 }).disabledBy).toBe(
      'operator',
    );
  });
});

const momentOf: fc.Arbitrary<Moment> = fc
  .record({
    trouble: fc.oneof(
      fc.record({
        kind: fc.constantFrom('limited' as const, 'fault' as const),
        retryAfterMs: fc.option(fc.integer({ min: 1, max: 10_000_000 })),
      }),
      fc.constant(refused),
    ),
    told: fc.nat(100_000),
    tookSeconds: fc.option(fc.nat(100)),
  })
  .map(({ trouble, told, tookSeconds }) => ({
    trouble,
    told: told + 100,
    sent: tookSeconds === null ? null : told + 100 - tookSeconds,
  }));

describe('whatever comes', () => {
  const histories = fc
    .array(momentOf, { maxLength: 60, size: 'max' })
    .map((moments) => [...moments].sort((left, right) => left.told - right.told));

  const replay = (moments: readonly Moment[], onStep: (before: KeyHealth, now: KeyHealth, moment: Moment) => void) =>
    moments.reduce((before, moment) => {
      const now = after(before, moment);
      onStep(before, now, moment);
      return now;
    }, well);

  test('a pause never gets shorter, and what the provider asked for always holds', () => {
    fc.assert(
      fc.property(histories, (moments) => {
        replay(moments, (before, now, { trouble, told }) => {
          const until = now.pausedUntil?.getTime() ?? 0;
          expect(until).toBeGreaterThanOrEqual(before.pausedUntil?.getTime() ?? 0);
          if (trouble.kind !== 'refused' && trouble.retryAfterMs !== null)
            expect(until).toBeGreaterThanOrEqual(at(told).getTime() + trouble.retryAfterMs);
        });
      }),
    );
  });

  test('what nobody asked for rests a key for an hour at most', () => {
    const unasked = histories.map((moments) =>
      moments.map((moment) =>
        moment.trouble.kind === 'refused' ? moment : { ...moment, trouble: { ...moment.trouble, retryAfterMs: null } },
      ),
    );
    fc.assert(
      fc.property(unasked, (moments) => {
        replay(moments, (_before, now, { told }) => expect(restAt(now, told)).toBeLessThanOrEqual(hour));
      }),
    );
  });

  test('a row grows by one at a time, and only by sends', () => {
    fc.assert(
      fc.property(histories, (moments) => {
        replay(moments, (before, now, { sent }) => {
          expect([before.failures, before.failures + (sent === null ? 0 : 1)]).toContain(now.failures);
        });
      }),
    );
  });

  test('only a refusal switches a key off', () => {
    fc.assert(
      fc.property(histories, (moments) => {
        const last = replay(moments, () => undefined);
        const isRefused = moments.some(({ trouble }) => trouble.kind === 'refused');
        expect(last.disabledBy).toBe(isRefused ? 'provider_auth' : null);
      }),
    );
  });
});

describe('a pause is news', () => {
  const paused = (seconds: number | null): KeyHealth => ({
    ...well,
    pausedUntil: seconds === null ? null : at(seconds),
  });

  test.each<[string, number | null, number | null, boolean]>([
    ['when it begins', null, 30, true],
    ['when it begins after another', 5, 30, true],
    ['when it gets longer', 20, 30, true],
    ['not when another of the same round says the same', 30, 30.4, false],
    ['not when it stays', 30, 30, false],
    ['not when there is none', null, null, false],
    ['not when it is over', 5, 5, false],
  ])('%s', (_name, before, now, expected) => {
    expect(isNewPause(paused(before), paused(now), at(10))).toBe(expected);
  });
});
