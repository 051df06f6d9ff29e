import * as checks from './checks';
import { hashPrompt, type AttemptEntry, type Books, type GenerationEntry } from './books';
import type { Booking } from './emulator';

const prompt = 'a kite';
const at = new Date('2026-11-21T12:00:00Z');

const generation = (change: Partial<GenerationEntry> = {}): GenerationEntry => ({
  id: 'gen_1',
  status: 'succeeded',
  phase: null,
  medium: 'video',
  prompt,
  idempotencyKey: 'one',
  rerunOf: null,
  errorCode: null,
  cancelRequestedAt: null,
  deadlineAt: new Date(at.getTime() + 10_000),
  createdAt: at,
  completedAt: at,
  ...change,
});

const attempt = (change: Partial<AttemptEntry> = {}): AttemptEntry => ({
  generationId: 'gen_1',
  number: 1,
  provider: 'runway',
  model: 'runway/gen4.5',
  status: 'succeeded',
  operation: 'op-1',
  costUsd: '0.6',
  possibleUsd: null,
  sentAt: at,
  submittedAt: at,
  supersededBy: null,
  ...change,
});

const booking = (change: Partial<Booking> = {}): Booking => ({
  provider: 'runway',
  operation: 'op-1',
  model: 'gen4.5',
  promptHash: hashPrompt(prompt),
  costUsd: '0.6',
  credential: 'key_1',
  submittedAt: at.toISOString(),
  startedAt: at.toISOString(),
  endedAt: new Date(at.getTime() + 5_000).toISOString(),
  state: 'succeeded',
  submits: 1,
  retryCount: 0,
  ...change,
});

const books = (change: Partial<Books> = {}): Books => ({
  generations: [generation()],
  attempts: [attempt()],
  artifacts: [{ generationId: 'gen_1', index: 0, bytes: 3, sha256: 'abc' }],
  events: [],
  ledger: [booking()],
  ...change,
});

const told = ({ offenders }: checks.Check): string[] => offenders.map(({ what }) => what);

const promised = new Map([['one', new Set(['gen_1'])]]);
const downloads = new Map([['gen_1/0', { bytes: 3, sha256: 'abc' }]]);
const stopped: checks.Stopped = {
  out: [{ generationId: 'gen_1', operation: 'op-1' }],
  fromMs: at.getTime() + 1_000,
  untilMs: at.getTime() + 20_000,
};

test('books that agree break no promise', () => {
  const found = [
    checks.checkLoss(books(), promised),
    checks.checkEnds(books()),
    checks.checkDoubles(books(), promised),
    checks.checkReruns(books()),
    checks.checkOwners(books()),
    checks.checkRetries(books()),
    checks.checkMoney(books()),
    checks.checkArtifacts(books(), downloads),
    checks.checkRunning(books()),
    checks.checkExpiry(books()),
    checks.checkStop(books(), stopped),
  ];
  expect(found.flatMap(told)).toEqual([]);
});

test.each<[string, checks.Check]>([
  ['a lost generation', checks.checkLoss(books({ generations: [] }), promised)],
  ['one that does not end', checks.checkEnds(books({ generations: [generation({ status: 'running' })] }))],
  ['a key answered with two ids', checks.checkDoubles(books(), new Map([['one', new Set(['gen_1', 'gen_2'])]]))],
  [
    'two generations of one key',
    checks.checkDoubles(books({ generations: [generation(), generation({ id: 'gen_2' })] }), promised),
  ],
  [
    'two re-runs at a time',
    checks.checkReruns(
      books({
        generations: [
          generation(),
          generation({ id: 'gen_2', rerunOf: 'gen_1', completedAt: null }),
          generation({ id: 'gen_3', rerunOf: 'gen_1' }),
        ],
      }),
    ),
  ],
  ['a second submit', checks.checkOwners(books({ ledger: [booking(), booking({ operation: 'op-2' })] }))],
  [
    'a submit of nobody',
    checks.checkOwners(books({ ledger: [booking(), booking({ operation: 'op-2', promptHash: 'other' })] })),
  ],
  ['work that no provider did', checks.checkOwners(books({ ledger: [] }))],
  ['a retry of the SDK', checks.checkRetries(books({ ledger: [booking({ retryCount: 1 })] }))],
  ['another cost than booked', checks.checkMoney(books({ ledger: [booking({ costUsd: '0.61' })] }))],
  ['a cost that nobody booked', checks.checkMoney(books({ ledger: [] }))],
  [
    'a lost answer that cost more than possible',
    checks.checkMoney(
      books({ attempts: [attempt({ status: 'ambiguous', operation: null, costUsd: null, possibleUsd: '0.5' })] }),
    ),
  ],
  ['bytes that changed', checks.checkArtifacts(books(), new Map([['gen_1/0', { bytes: 3, sha256: 'abd' }]]))],
  ['a success without a result', checks.checkArtifacts(books({ artifacts: [] }), downloads)],
  ['work left running', checks.checkRunning(books({ ledger: [booking({ state: 'running' })] }))],
  ['finished work that expired', checks.checkExpiry(books({ generations: [generation({ status: 'expired' })] }))],
  [
    'work sent again after the stop',
    checks.checkStop(
      books({
        ledger: [booking(), booking({ operation: 'op-2', submittedAt: new Date(at.getTime() + 30_000).toISOString() })],
      }),
      stopped,
    ),
  ],
  [
    'finished work that failed after the stop',
    checks.checkStop(books({ generations: [generation({ status: 'failed' })] }), stopped),
  ],
  ['a stop in which nothing was finished', checks.checkStop(books(), { ...stopped, out: [] })],
])('%s is found', (_what, check) => {
  expect(told(check)).toHaveLength(1);
});

test('what an ambiguous attempt may have got is counted apart, and costs at most what is possible', () => {
  const lost = books({
    attempts: [attempt({ status: 'ambiguous', operation: null, costUsd: null, possibleUsd: '0.6' })],
  });
  expect(checks.checkOwners(lost)).toMatchObject({ offenders: [], figure: expect.stringContaining('1 of ambiguous') });
  expect(checks.checkMoney(lost)).toMatchObject({
    offenders: [],
    figure: expect.stringContaining('0.6000 ≤ possible'),
  });
});
