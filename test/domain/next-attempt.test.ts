import fc from 'fast-check';
import { failures, type FailureCode } from '../../src/domain/failure';
import { ambiguityPolicies, type AttemptStatus } from '../../src/domain/generation';
import { alternativeTo, nextAttempt, type AttemptPolicy, type LedgerEntry } from '../../src/domain/next-attempt';
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
  ...overrides,
});

test('begins with the first candidate, and stops when there is none', () => {
  expect(nextAttempt([], candidates, policy())).toEqual({ candidate: candidates[0], takesOver: null });
  expect(nextAttempt([], [], policy())).toBeNull();
});

test('never tries anything after a cancelled attempt', () => {
  fc.assert(
    fc.property(endingIn('canceled'), anyPolicy, ({ entries }, chosen) => {
      expect(nextAttempt(entries, candidates, chosen)).toBeNull();
    }),
  );
});

test('always takes over what was sent or paid for, on the same model', () => {
  fc.assert(
    fc.property(endingIn('submitting', 'submitted', 'succeeded'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextAttempt(entries, candidates, chosen);
      expect(next).toMatchObject({ candidate: { model: latest.model }, takesOver: latest.number });
    }),
  );
});

test('replaces a planned attempt by one that inherits what it had to settle', () => {
  fc.assert(
    fc.property(endingIn('planned'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextAttempt(entries, candidates, chosen);
      expect(next).toMatchObject({ candidate: { model: latest.model }, takesOver: latest.takesOver });
    }),
  );
});

test('moves to the next candidate only after a failure that another provider may not have', () => {
  fc.assert(
    fc.property(endingIn('failed', 'rejected'), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextAttempt(entries, candidates, chosen);
      const mayMove = latest.errorCode !== null && failures[latest.errorCode].tryNextProvider && chosen.fallback;
      const follower = models[models.indexOf(latest.model) + 1];
      expect(next?.candidate.model).toBe(mayMove ? follower : undefined);
      expect(next?.takesOver ?? null).toBeNull();
    }),
  );
});

test('never changes the model when fallback is off', () => {
  fc.assert(
    fc.property(endingIn(...statuses.slice(0, -1)), anyPolicy, ({ entries, latest }, chosen) => {
      const next = nextAttempt(entries, candidates, { ...chosen, fallback: false });
      expect([undefined, latest.model]).toContain(next?.candidate.model);
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
      expect(nextAttempt(all, candidates, chosen)).toEqual(nextAttempt(counting, candidates, chosen));
    }),
  );
});

test('names only candidates, and the same one for the same ledger', () => {
  fc.assert(
    fc.property(earlier, anyPolicy, (rows, chosen) => {
      const next = nextAttempt(number(rows), candidates, chosen);
      expect(next === null || candidates.includes(next.candidate)).toBe(true);
      expect(nextAttempt(number(rows), candidates, chosen)).toEqual(next);
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
  const next = nextAttempt(number([entry({ estimatedUsd })]), candidates, policy({ onAmbiguous }));
  expect(next?.candidate.model ?? null).toBe(model);
  expect(next?.takesOver ?? null).toBeNull();
});

test.each(['auto', 'resubmit'] as const)('%s sends again after two lost answers, not after three', (onAmbiguous) => {
  const lost = [entry({}), entry({}), entry({})];
  expect(nextAttempt(number(lost.slice(1)), candidates, policy({ onAmbiguous }))).not.toBeNull();
  expect(nextAttempt(number(lost), candidates, policy({ onAmbiguous }))).toBeNull();
});

test('counts lost answers of the same model only', () => {
  const others = [entry({ model: 'b/two' }), entry({ model: 'b/two' }), entry({ model: 'b/two' })];
  const next = nextAttempt(number([...others, entry({})]), candidates, policy({ onAmbiguous: 'resubmit' }));
  expect(next?.candidate.model).toBe('a/one');
});

test('fail_over has nowhere to go from the last candidate', () => {
  const lost = number([entry({ model: 'c/three' })]);
  expect(nextAttempt(lost, candidates, policy({ onAmbiguous: 'fail_over' }))).toBeNull();
});

test('ends within a bounded number of attempts, whatever comes back', () => {
  const outcome = entryOf(fc.constantFrom('failed', 'rejected', 'ambiguous'));
  fc.assert(
    fc.property(fc.array(outcome, { minLength: 30, maxLength: 30 }), anyPolicy, (outcomes, chosen) => {
      const entries: LedgerEntry[] = [];
      for (const row of outcomes) {
        const next = nextAttempt(entries, candidates, chosen);
        if (next === null) break;
        entries.push({ ...row, model: next.candidate.model, number: entries.length + 1, takesOver: null });
      }
      expect(entries.length).toBeLessThanOrEqual(3 * candidates.length);
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
