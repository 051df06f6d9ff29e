import fc from 'fast-check';
import {
  afterNews,
  countsAsFault,
  defaultBreaker,
  isKeyRefusal,
  isTooMuch,
  mayProbe,
  openMs,
  probeMs,
  silentCodes,
  startProbe,
  verdictOn,
  type Breaker,
  type BreakerPolicy,
  type Tally,
  type Told,
  type Verdict,
} from '../../src/domain/breaker';
import { failures, type FailureCode } from '../../src/domain/failure';

const hourMs = 3_600_000;
const start = Date.parse('2026-11-21T12:00:00Z');
const none: Tally = { count: 0, faults: 0, inARow: 0 };

describe('what counts as a fault of the provider', () => {
  const faults: readonly FailureCode[] = [
    'provider_overloaded',
    'provider_server_error',
    'provider_timeout',
    'provider_bad_response',
  ];

  test('of all codes these four, by themselves', () => {
    const codes = Object.keys(failures) as FailureCode[];
    expect(codes.filter((code) => countsAsFault({ code, httpStatus: 500 })).sort()).toEqual([...faults].sort());
  });

  test.each<[string, Told, Verdict]>([
    ['a refused key', { code: 'provider_auth', scope: 'credential', httpStatus: 401 }, 'fault'],
    ['no money left', { code: 'provider_insufficient_funds', scope: 'credential', httpStatus: 402 }, 'fault'],
    ['a key refused as a wrong request', { code: 'provider_auth', scope: 'credential', httpStatus: 400 }, 'fault'],
    ['a model this key may not use', { code: 'provider_auth', scope: 'model', httpStatus: 403 }, 'answer'],
    ['our country', { code: 'provider_auth', scope: 'provider', httpStatus: 400 }, 'answer'],
    ['a key that we do not have', { code: 'provider_auth', scope: 'credential', httpStatus: null }, 'silent'],
    ['no connection', { code: 'provider_server_error', scope: 'provider', httpStatus: null }, 'fault'],
    ['no answer in time', { code: 'provider_timeout', scope: 'provider', httpStatus: null }, 'fault'],
    ['408', { code: 'provider_timeout', scope: 'provider', httpStatus: 408 }, 'fault'],
    ['an overloaded model', { code: 'provider_overloaded', scope: 'model', httpStatus: 503 }, 'fault'],
    ['200 without sense', { code: 'provider_bad_response', scope: 'provider', httpStatus: 200 }, 'fault'],
    ['a refusal nobody knows', { code: 'provider_bad_response', scope: 'provider', httpStatus: 409 }, 'answer'],
    ['a rate limit', { code: 'provider_rate_limited', scope: 'credential', httpStatus: 429 }, 'silent'],
    ['refused content', { code: 'provider_content_rejected', scope: 'request', httpStatus: 400 }, 'answer'],
    ['a wrong field', { code: 'caller_invalid_request', scope: 'request', httpStatus: 422 }, 'answer'],
    ['an unknown model', { code: 'provider_model_not_found', scope: 'model', httpStatus: 404 }, 'answer'],
    ['failed work', { code: 'provider_failed' }, 'answer'],
    ['work that timed out there', { code: 'provider_timeout' }, 'fault'],
    ['our own fault', { code: 'system_internal', scope: 'request', httpStatus: null }, 'silent'],
    ['a lost sender', { code: 'provider_submit_ambiguous' }, 'silent'],
  ])('%s', (_name, told, verdict) => {
    expect(verdictOn(told)).toBe(verdict);
    expect(countsAsFault(told)).toBe(verdict === 'fault');
  });

  test('what was accepted is an answer', () => {
    expect(verdictOn('accepted')).toBe('answer');
  });

  test('rate limits, policies and our own troubles say nothing, whoever told them', () => {
    expect(silentCodes).toEqual(
      expect.arrayContaining(['provider_rate_limited', 'system_internal', 'policy_no_capacity']),
    );
    for (const code of silentCodes) expect(verdictOn({ code, scope: 'provider', httpStatus: 503 })).toBe('silent');
  });

  test('only the refusal of a key by its provider is one', () => {
    const told = { scope: 'credential', httpStatus: 403 } as const;
    expect(isKeyRefusal({ ...told, code: 'provider_auth' })).toBe(true);
    expect(isKeyRefusal({ ...told, code: 'provider_insufficient_funds' })).toBe(true);
    expect(isKeyRefusal({ ...told, code: 'provider_rate_limited' })).toBe(false);
    expect(isKeyRefusal({ ...told, code: 'provider_auth', httpStatus: null })).toBe(false);
    expect(isKeyRefusal({ ...told, code: 'provider_auth', scope: 'model' })).toBe(false);
    expect(isKeyRefusal({ code: 'provider_auth' })).toBe(false);
  });
});

describe('what is too much', () => {
  test.each<[Tally, boolean]>([
    [{ count: 4, faults: 4, inARow: 4 }, false],
    [{ count: 5, faults: 5, inARow: 5 }, true],
    // in a row and older than the window
    [{ count: 0, faults: 0, inARow: 5 }, true],
    [{ count: 9, faults: 8, inARow: 1 }, false],
    [{ count: 10, faults: 4, inARow: 1 }, false],
    [{ count: 10, faults: 5, inARow: 1 }, true],
    [{ count: 1_000, faults: 499, inARow: 4 }, false],
    [none, false],
  ])('%j: %s', (tally, expected) => {
    expect(isTooMuch(tally, defaultBreaker)).toBe(expected);
  });
});

type Sent = { attempt: string; sentAt: number };
type Answered = Sent & { toldAt: number; verdict: Verdict };

type Step =
  | { do: 'wait'; ms: number }
  | { do: 'send' }
  | { do: 'answer'; which: number; verdict: Verdict }
  | { do: 'look'; verdict: Verdict };

const verdictOf = fc.constantFrom<Verdict>('fault', 'fault', 'answer', 'silent');

const stepOf: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.constant(hourMs)),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ do: 'send' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      // counted from the last one sent
      which: fc.oneof(fc.constant(0), fc.nat(50)),
      verdict: verdictOf,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const), verdict: verdictOf }) },
);

const policyOf: fc.Arbitrary<BreakerPolicy> = fc.record({
  failures: fc.integer({ min: 1, max: 4 }),
  ratio: fc.constantFrom(0.2, 0.5, 1),
  minimumCount: fc.integer({ min: 1, max: 8 }),
  windowSeconds: fc.constantFrom(10, 60, 600),
  openSeconds: fc.constantFrom(1, 30, 1_500),
});

/** What is told of sends that left after the breaker closed last, by the plainest counting. */
const countUp = (
  told: readonly Answered[],
  { now, closedAt }: { now: number; closedAt: number },
  windowMs: number,
): Tally => {
  const since = told.filter(({ sentAt, verdict }) => sentAt > closedAt && verdict !== 'silent');
  const rolling = since.filter(({ toldAt }) => toldAt > now - windowMs);
  let inARow = 0;
  for (const { verdict } of since) inARow = verdict === 'fault' ? inARow + 1 : 0;
  return { count: rolling.length, faults: rolling.filter(({ verdict }) => verdict === 'fault').length, inARow };
};

type Seen = { step: Step; before: Breaker; after: Breaker; now: number; isProbe: boolean; tally: Tally };

/** Sends that wait for their answers, and the breaker that sees them come in. */
const createWorld = (policy: BreakerPolicy) => {
  let now = start;
  let breaker: Breaker = { state: 'closed' };
  let closedAt = 0;
  let numbers = 0;
  const out: Sent[] = [];
  const told: Answered[] = [];

  const hear = (verdict: Verdict, attempt: string | null): Tally => {
    const tally = countUp(told, { now, closedAt }, policy.windowSeconds * 1000);
    const wasClosed = breaker.state === 'closed';
    breaker = afterNews(breaker, { verdict, attempt, now: new Date(now) }, { tally, policy });
    if (!wasClosed && breaker.state === 'closed') closedAt = now;
    return tally;
  };

  const send = (): void => {
    numbers += 1;
    const sent = { attempt: `gen/${numbers}`, sentAt: now };
    if (breaker.state === 'closed' || mayProbe(breaker, new Date(now))) out.push(sent);
    breaker = startProbe(breaker, { probe: sent.attempt, now: new Date(now) });
  };

  const answer = (which: number, verdict: Verdict): { isProbe: boolean; tally: Tally } => {
    const [sent] = out.splice(out.length - 1 - (which % Math.max(1, out.length)), 1);
    if (!sent) return { isProbe: false, tally: none };
    const isProbe = breaker.state === 'half_open' && breaker.probe === sent.attempt;
    told.push({ ...sent, toldAt: now, verdict });
    return { isProbe, tally: hear(verdict, sent.attempt) };
  };

  const act = (step: Step): { isProbe: boolean; tally: Tally } => {
    if (step.do === 'answer') return answer(step.which, step.verdict);
    if (step.do === 'look') return { isProbe: false, tally: hear(step.verdict, null) };
    if (step.do === 'send') send();
    return { isProbe: false, tally: none };
  };

  return {
    state: () => ({ breaker, now }),
    take: (step: Step): Seen => {
      const before = breaker;
      // no two things at once: which came first would be anybody's guess
      now += step.do === 'wait' ? step.ms : 1;
      const seen = act(step);
      return { ...seen, step, before, after: breaker, now };
    },
  };
};

/** Plays steps against the machine; `onStep` sees every one. */
const play = (steps: readonly Step[], policy: BreakerPolicy, onStep: (seen: Seen) => void) => {
  const world = createWorld(policy);
  for (const step of steps) onStep(world.take(step));
  return world.state();
};

/** The same machine told another way: what is kept are numbers and times, and the state follows from them. */
const createReference = (policy: BreakerPolicy) => {
  let openings = 0;
  let opensAt = 0;
  let probe: string | null = null;
  let probeEnds = 0;
  let sent = 0;

  const open = (now: number): void => {
    opensAt = now + Math.min(hourMs, policy.openSeconds * 1000 * 2 ** openings);
    openings += 1;
    probe = null;
  };
  const isBad = ({ count, faults, inARow }: Tally): boolean =>
    inARow >= policy.failures || (count >= policy.minimumCount && faults >= policy.ratio * count);
  const endProbe = (verdict: Verdict, now: number): void => {
    if (verdict === 'fault') return open(now);
    if (verdict === 'silent') probeEnds = now;
    else openings = 0;
  };
  const send = (now: number): void => {
    sent += 1;
    if (openings === 0 || now < (probe === null ? opensAt : probeEnds)) return;
    probe = `gen/${sent}`;
    probeEnds = now + probeMs;
  };

  return {
    hear: ({ step, now, isProbe, tally }: Seen): void => {
      if (step.do === 'wait') return;
      if (step.do === 'send') return send(now);
      if (isProbe) endProbe(step.verdict, now);
      else if (openings === 0 && step.verdict === 'fault' && isBad(tally)) open(now);
    },
    state: (): Breaker => {
      if (openings === 0) return { state: 'closed' };
      return probe === null
        ? { state: 'open', openings, until: new Date(opensAt) }
        : { state: 'half_open', openings, probe, until: new Date(probeEnds) };
    },
  };
};

const runs = { numRuns: 150 };
const histories = fc.array(stepOf, { minLength: 1, maxLength: 120, size: 'max' });

describe('whatever happens', () => {
  test('the machine does what its history says', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        const reference = createReference(policy);
        play(steps, policy, (step) => {
          reference.hear(step);
          expect(step.after).toEqual(reference.state());
          const way = `${step.before.state} ${step.after.state}`;
          seen.set(way, (seen.get(way) ?? 0) + 1);
        });
      }),
      runs,
    );
    // the histories went every way there is
    const ways = ['closed open', 'open half_open', 'half_open open', 'half_open closed', 'half_open half_open'];
    for (const way of ways) expect(seen.get(way)).toBeGreaterThan(20);
  });

  test('there is never more than one probe that has time', () => {
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        play(steps, policy, ({ before, after, now }) => {
          const changedHands =
            before.state === 'half_open' && after.state === 'half_open' && before.probe !== after.probe;
          if (changedHands) expect(before.until.getTime()).toBeLessThanOrEqual(now);
          if (before.state === 'open' && after.state === 'half_open')
            expect(before.until.getTime()).toBeLessThanOrEqual(now);
          if (after.state === 'half_open')
            expect(startProbe(after, { probe: 'another', now: new Date(after.until.getTime() - 1) })).toBe(after);
        });
      }),
      runs,
    );
  });

  test('it opens by nothing but a fault, and only when there are enough of them', () => {
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        play(steps, policy, ({ step, before, after, tally }) => {
          if (before.state !== 'closed' || after.state === 'closed') return;
          expect(step).toMatchObject({ verdict: 'fault' });
          expect(tally.faults + tally.inARow).toBeGreaterThan(0);
          expect(after).toMatchObject({ state: 'open', openings: 1 });
        });
      }),
      runs,
    );
  });

  test('without faults it never opens', () => {
    const well = histories.map((steps) =>
      steps.map((step): Step =>
        'verdict' in step && step.verdict === 'fault' ? { ...step, verdict: 'answer' } : step,
      ),
    );
    fc.assert(
      fc.property(well, policyOf, (steps, policy) => {
        expect(play(steps, policy, () => undefined).breaker).toEqual({ state: 'closed' });
      }),
      runs,
    );
  });

  test('a probe that is answered closes it, one that fails opens it, and nobody else does either', () => {
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        play(steps, policy, ({ step, before, after, isProbe }) => {
          if (isProbe && step.do === 'answer')
            expect(after.state).toBe({ answer: 'closed', fault: 'open', silent: 'half_open' }[step.verdict]);
          else if (before.state !== 'closed' && step.do !== 'send') expect(after).toBe(before);
        });
      }),
      runs,
    );
  });

  test('it opens for twice as long each time a probe fails, and never for more than an hour', () => {
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        play(steps, policy, ({ before, after, now }) => {
          if (after.state === 'closed') return;
          expect(after.until.getTime() - now).toBeLessThanOrEqual(hourMs);
          if (after.state !== 'open' || after === before) return;
          const earlier = before.state === 'closed' ? 0 : before.openings;
          expect(after.openings).toBe(earlier + 1);
          const length = after.until.getTime() - now;
          expect(length).toBe(Math.min(hourMs, policy.openSeconds * 1000 * 2 ** earlier));
        });
      }),
      runs,
    );
  });

  test('it can always be closed: by waiting, and a probe that is answered', () => {
    fc.assert(
      fc.property(histories, policyOf, (steps, policy) => {
        const { breaker, now } = play(steps, policy, () => undefined);
        const later = new Date(now + hourMs);
        if (breaker.state === 'closed') return;
        expect(mayProbe(breaker, later)).toBe(true);
        const probing = startProbe(breaker, { probe: 'gen/last', now: later });
        const news = { verdict: 'answer', attempt: 'gen/last', now: later } as const;
        expect(afterNews(probing, news, { tally: none, policy })).toEqual({ state: 'closed' });
      }),
      runs,
    );
  });
});

test('a closed breaker wants no probe', () => {
  const closed: Breaker = { state: 'closed' };
  expect(mayProbe(closed, new Date(start))).toBe(false);
  expect(startProbe(closed, { probe: 'gen/1', now: new Date(start) })).toBe(closed);
});

test('however often a probe fails, the hour stays an hour', () => {
  fc.assert(
    fc.property(policyOf, fc.integer({ min: 1, max: 5_000 }), (policy, openings) => {
      const lengthMs = openMs(policy, openings);
      expect(lengthMs).toBeGreaterThan(0);
      expect(lengthMs).toBeLessThanOrEqual(hourMs);
      expect(openMs(policy, openings + 1)).toBe(Math.min(hourMs, lengthMs * 2));
    }),
  );
});
