import fc from 'fast-check';
import { failures, type FailureCode } from '../../src/domain/failure';
import { ambiguityPolicies, type AttemptStatus } from '../../src/domain/generation';
import {
  alternativeTo,
  nextStep,
  type AttemptPolicy,
  type LedgerEntry,
  type NextStep,
  type ResolutionAction,
} from '../../src/domain/next-attempt';
import { makeCandidate } from '../support/generation-data';

const candidates = ['a/one', 'b/two', 'c/three'].map((model) => makeCandidate(model));
const models = candidates.map(({ model }) => model);

const anyPolicy = fc.record({
  onAmbiguous: fc.constantFrom(...ambiguityPolicies),
  resubmitUpToUsd: fc.constantFrom('0', '0.05', '1'),
  fallback: fc.boolean(),
});

const statuses: AttemptStatus[] = [
  'planned',
  'submitting',
  'submitted',
  'succeeded',
  'failed',
  'canceled',
  'rejected',
  'ambiguous',
  'superseded',
];

const entryOf = (status: fc.Arbitrary<AttemptStatus>) =>
  fc.record({
    model: fc.constantFrom(...models),
    status,
    errorCode: fc.option(fc.constantFrom(...(Object.keys(failures) as FailureCode[]))),
    estimatedUsd: fc.constantFrom(null, '0', '0.05', '0.050001', '3'),
    takesOver: fc.option(fc.integer({ min: 1, max: 9 })),
    provider: fc.constant('a'),
    resolution: fc.constant(null),
    adopted: fc.constant(null),
  });

type Unnumbered = Omit<LedgerEntry, 'number'>;

const number = (entries: Unnumbered[]): LedgerEntry[] =>
  entries.map((entry, index) => ({ ...entry, number: index + 1 }));

const earlier = fc.array(entryOf(fc.constantFrom(...statuses)), { maxLength: 6 });

/** Any history whose latest attempt that counts has one of these statuses. */
const endingIn = (...wanted: AttemptStatus[]) =>
  fc
    .tuple(earlier, entryOf(fc.constantFrom(...wanted)), fc.array(entryOf(fc.constant('superseded')), { maxLength: 2 }))
    .map(([before, latest, after]) => ({
      entries: number([...before, latest, ...after]),
      latest: { ...latest, number: before.length + 1 },
    }));

const policy = (overrides: Partial<AttemptPolicy> = {}): AttemptPolicy => ({
  onAmbiguous: 'auto',
  resubmitUpToUsd: '0.05',
  fallback: true,
  ...overrides,
});

const entry = (overrides: Partial<Unnumbered>): Unnumbered => ({
  model: 'a/one',
  status: 'ambiguous',
  errorCode: null,
  estimatedUsd: '0.01',
  takesOver: null,
  provider: 'a',
  resolution: null,
  adopted: null,
  ...overrides,
});

const modelOf = (step: NextStep): string | null => (step.action === 'attempt' ? step.candidate.model : null);

const takesOver = (step: NextStep): number | null => (step.action === 'attempt' ? step.takesOver : null);

test('begins with the first candidate, and stops when there is none', () => {
  expect(nextStep([], candidates, policy())).toEqual({
    action: 'attempt',
    candidate: candidates[0],
    takesOver: null,
  });
  expect(nextStep([], [], policy())).toEqual({ action: 'stop' });
});

test('never tries anything after a cancelled attempt', () => {
  fc.assert(
    fc.property(endingIn('canceled'), anyPolicy, ({ entries }, chosen) => {
      expect(nextStep(entries, candidates, chosen)).toEqual({ action: 'stop' });
    }),
  );
});

test('always takes over what was sent or paid for, on the same model', () => {
  fc.assert(
    fc.property(endingIn('submitting', 'submitted', 'succeeded'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextStep(entries, candidates, chosen);
      expect(next).toMatchObject({ candidate: { model: latest.model }, takesOver: latest.number });
    }),
  );
});

test('replaces a planned attempt by one that inherits what it had to settle', () => {
  fc.assert(
    fc.property(endingIn('planned'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextStep(entries, candidates, chosen);
      expect(next).toMatchObject({ candidate: { model: latest.model }, takesOver: latest.takesOver });
    }),
  );
});

test('moves to the next candidate only after a failure that another provider may not have', () => {
  fc.assert(
    fc.property(endingIn('failed', 'rejected'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextStep(entries, candidates, chosen);
      fc.pre(latest.errorCode !== 'provider_result_lost');
      const mayMove = latest.errorCode !== null && failures[latest.errorCode].tryNextProvider && chosen.fallback;
      const follower = models[models.indexOf(latest.model) + 1] ?? null;
      expect(modelOf(next)).toBe(mayMove ? follower : null);
      expect(takesOver(next)).toBeNull();
    }),
  );
});

test('never changes the model when fallback is off', () => {
  fc.assert(
    fc.property(endingIn(...statuses.slice(0, -1)), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextStep(entries, candidates, { ...chosen, fallback: false });
      expect([null, latest.model]).toContain(modelOf(next));
    }),
  );
});

test('gives the same answer whatever was superseded before, between or after', () => {
  const superseded = entryOf(fc.constant('superseded'));
  const mixed = fc.array(fc.tuple(entryOf(fc.constantFrom(...statuses.slice(0, -1))), fc.array(superseded)), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(superseded), mixed, anyPolicy, (before, rows, chosen) => {
      const all = number([...before, ...rows.flatMap(([row, after]) => [row, ...after])]);
      const counting = all.filter(({ status }) => status !== 'superseded');
      expect(nextStep(all, candidates, chosen)).toEqual(nextStep(counting, candidates, chosen));
    }),
  );
});

test('names only candidates, and the same one for the same ledger', () => {
  fc.assert(
    fc.property(earlier, anyPolicy, (rows, chosen) => {
      const next = nextStep(number(rows), candidates, chosen);
      expect([null, ...models]).toContain(modelOf(next));
      expect(nextStep(number(rows), candidates, chosen)).toEqual(next);
    }),
  );
});

test.each([
  ['hold', '0', null],
  ['auto', '0.05', 'a/one'],
  ['auto', '0.05000001', null],
  ['auto', null, null],
  ['resubmit', null, 'a/one'],
  ['resubmit', '100', 'a/one'],
  ['fail_over', '100', 'b/two'],
] as const)('after a lost answer, %s at a price of %s USD goes on with %s', (onAmbiguous, estimatedUsd, model) => {
  const next = nextStep(number([entry({ estimatedUsd })]), candidates, policy({ onAmbiguous }));
  expect(modelOf(next)).toBe(model);
  expect(next.action).toBe(model === null ? 'hold' : 'attempt');
  expect(takesOver(next)).toBeNull();
});

test.each(['auto', 'resubmit'] as const)('%s sends again after two lost answers, not after three', (onAmbiguous) => {
  const lost = [entry({}), entry({}), entry({})];
  expect(nextStep(number(lost.slice(1)), candidates, policy({ onAmbiguous })).action).toBe('attempt');
  expect(nextStep(number(lost), candidates, policy({ onAmbiguous }))).toEqual({ action: 'stop' });
});

test('counts lost answers of the same model only', () => {
  const others = [entry({ model: 'b/two' }), entry({ model: 'b/two' }), entry({ model: 'b/two' })];
  const next = nextStep(number([...others, entry({})]), candidates, policy({ onAmbiguous: 'resubmit' }));
  expect(modelOf(next)).toBe('a/one');
});

test('fail_over has nowhere to go from the last candidate', () => {
  const lost = number([entry({ model: 'c/three' })]);
  expect(nextStep(lost, candidates, policy({ onAmbiguous: 'fail_over' }))).toEqual({ action: 'stop' });
});

test('ends within a bounded number of attempts, whatever comes back', () => {
  const outcome = entryOf(fc.constantFrom('failed', 'rejected', 'ambiguous'));
  fc.assert(
    fc.property(fc.array(outcome, { minLength: 30, maxLength: 30 }), anyPolicy, (outcomes, chosen) => {
      const entries: LedgerEntry[] = [];
      for (const row of outcomes) {
        const next = nextStep(entries, candidates, chosen);
        if (next.action !== 'attempt') break;
        entries.push({ ...row, model: next.candidate.model, number: entries.length + 1, takesOver: null });
      }
      expect(entries.length).toBeLessThanOrEqual(4 * candidates.length);
    }),
  );
});

test('the alternative is the one after, where falling back is allowed', () => {
  expect(alternativeTo('a/one', candidates, { fallback: true })?.model).toBe('b/two');
  expect(alternativeTo('a/one', candidates, { fallback: false })).toBeNull();
  expect(alternativeTo('c/three', candidates, { fallback: true })).toBeNull();
});

test('a model that is no candidate has no alternative', () => {
  expect(alternativeTo('z/gone', candidates, { fallback: true })).toBeNull();
});

test.each<[ResolutionAction, string | null]>([
  ['resubmit', 'a/one'],
  ['fail_over', 'b/two'],
  ['abandon', null],
])('a person who decides to %s is followed, whatever the request wished', (resolution, model) => {
  for (const onAmbiguous of ambiguityPolicies) {
    const next = nextStep(number([entry({ resolution })]), candidates, policy({ onAmbiguous, fallback: false }));
    expect(modelOf(next)).toBe(model);
    expect(next.action).toBe(model === null ? 'stop' : 'attempt');
  }
});

const lostResult = entry({ status: 'failed', errorCode: 'provider_result_lost' });

test.each([
  ['auto', '0.05', 'a/one'],
  ['auto', '0.06', null],
  ['auto', null, null],
  ['hold', '0.01', null],
  ['resubmit', '100', 'a/one'],
  ['fail_over', '100', 'b/two'],
] as const)('paid work whose result is lost: %s at %s USD goes on with %s', (onAmbiguous, estimatedUsd, model) => {
  const next = nextStep(number([{ ...lostResult, estimatedUsd }]), candidates, policy({ onAmbiguous }));
  expect(modelOf(next)).toBe(model);
  expect(next.action).toBe(model === null ? 'stop' : 'attempt');
});

test('a result that is lost twice is not paid for a third time', () => {
  const next = nextStep(number([lostResult, lostResult]), candidates, policy({ onAmbiguous: 'resubmit' }));
  expect(next).toEqual({ action: 'stop' });
});

test.each(['submitted', 'succeeded'] as const)('adopted work that is %s is begun once, then taken over', (status) => {
  const adopt = (begun: boolean) => number([entry({ status, adopted: { begun } })]);
  expect(nextStep(adopt(false), candidates, policy())).toEqual({ action: 'begin', number: 1 });
  expect(takesOver(nextStep(adopt(true), candidates, policy()))).toBe(1);
});

test.each(['failed', 'canceled'] as const)('adopted work that %s after all is done anew', (status) => {
  const adopted = number([entry({ status, errorCode: 'provider_failed', adopted: { begun: true } })]);
  expect(modelOf(nextStep(adopted, candidates, policy()))).toBe('a/one');
  expect(takesOver(nextStep(adopted, candidates, policy()))).toBeNull();
});

test('follows what is out although its model is no candidate any more', () => {
  const next = nextStep(number([entry({ status: 'submitted', model: 'z/gone' })]), candidates, policy());
  expect(next).toMatchObject({ candidate: { model: 'z/gone', provider: 'a' }, takesOver: 1 });
});
