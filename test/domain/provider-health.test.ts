import fc from 'fast-check';
import { judgeHealth, type Evidence, type HealthStatus } from '../../src/domain/provider-health';

const noon = new Date('2026-11-21T12:00:00Z');
const at = (secondsPast: number): Date => new Date(noon.getTime() + secondsPast * 1000);

const nothing: Evidence = { keys: { usable: 1, paused: 0 }, isBroken: false, traffic: null, check: null };

const judge = (evidence: Partial<Evidence>) => judgeHealth({ ...nothing, ...evidence });

const traffic = (answered: number, faults: number): Evidence['traffic'] => ({
  answered,
  faults,
  goodAt: answered > faults ? noon : null,
  lastAt: noon,
});

test('of whom nothing was heard nothing is known', () => {
  expect(judge({})).toEqual({ status: 'unknown', reason: null, checkedAt: null });
  expect(judge({ keys: null })).toEqual({ status: 'unknown', reason: null, checkedAt: null });
});

test.each<[string, Partial<Evidence>, HealthStatus]>([
  ['answers well', { traffic: traffic(20, 0) }, 'healthy'],
  ['fails now and then', { traffic: traffic(20, 2) }, 'healthy'],
  ['fails often', { traffic: traffic(20, 3) }, 'degraded'],
  ['fails every other time', { traffic: traffic(20, 10) }, 'down'],
  ['has failed once', { traffic: traffic(1, 1) }, 'degraded'],
  ['has failed twice of two', { traffic: traffic(2, 2) }, 'degraded'],
  ['has failed three times of three', { traffic: traffic(3, 3) }, 'down'],
  ['answers a check', { check: { code: null, at: noon } }, 'healthy'],
  ['does not answer a check', { check: { code: 'provider_timeout', at: noon } }, 'down'],
  ['refuses the key of the check', { check: { code: 'provider_auth', at: noon } }, 'degraded'],
  ['has every key disabled', { keys: { usable: 0, paused: 0 }, traffic: traffic(20, 0) }, 'down'],
  ['has every key resting', { keys: { usable: 2, paused: 2 }, traffic: traffic(20, 0) }, 'degraded'],
  ['has one key resting of two', { keys: { usable: 2, paused: 1 }, traffic: traffic(20, 0) }, 'healthy'],
  ['has an open breaker', { isBroken: true, traffic: traffic(20, 0) }, 'degraded'],
  ['has an open breaker and nothing else', { isBroken: true }, 'degraded'],
])('one that %s is as said', (_what, evidence, status) => {
  const health = judge(evidence);
  expect(health.status).toBe(status);
  expect(health.reason === null).toBe(status === 'healthy');
});

test('work that was accepted after a failed check says more than the check', () => {
  const check = { code: 'provider_timeout', at: at(-60) } as const;
  expect(judge({ check, traffic: { ...traffic(1, 0), lastAt: at(0), goodAt: at(0) } } as Partial<Evidence>)).toEqual({
    status: 'healthy',
    reason: null,
    checkedAt: at(0),
  });
});

test('a failed check after work that was accepted says more than the work', () => {
  const check = { code: 'provider_timeout', at: at(60) } as const;
  const health = judge({ check, traffic: traffic(20, 0) });
  expect(health).toEqual({
    status: 'down',
    reason: 'the last check ended with provider_timeout',
    checkedAt: at(60),
  });
});

const evidence: fc.Arbitrary<Evidence> = fc.record({
  keys: fc.option(fc.record({ usable: fc.nat(3), paused: fc.nat(3) })),
  isBroken: fc.boolean(),
  traffic: fc.option(
    fc.record({
      answered: fc.nat(50),
      faults: fc.nat(50),
      goodAt: fc.option(fc.integer({ min: -900, max: 0 }).map(at)),
      lastAt: fc.integer({ min: -900, max: 0 }).map(at),
    }),
  ),
  check: fc.option(
    fc.record({
      code: fc.option(fc.constantFrom('provider_timeout' as const, 'provider_auth' as const)),
      at: fc.integer({ min: -900, max: 0 }).map(at),
    }),
  ),
});

const order: readonly HealthStatus[] = ['unknown', 'healthy', 'degraded', 'down'];

test('more faults, an open breaker or a failed check never make a provider look better', () => {
  fc.assert(
    fc.property(evidence, fc.nat(20), (known, more) => {
      const before = order.indexOf(judgeHealth(known).status);
      const worse: Evidence[] = [
        { ...known, isBroken: true },
        { ...known, check: { code: 'provider_timeout', at: at(1) } },
        ...(known.traffic ? [{ ...known, traffic: { ...known.traffic, faults: known.traffic.faults + more } }] : []),
      ];
      for (const one of worse) expect(order.indexOf(judgeHealth(one).status)).toBeGreaterThanOrEqual(before);
    }),
  );
});

test('who is not healthy and not unknown has a reason, and nobody else', () => {
  fc.assert(
    fc.property(evidence, (known) => {
      const { status, reason } = judgeHealth(known);
      expect(reason !== null).toBe(status === 'degraded' || status === 'down');
    }),
  );
});
