import type { Check } from '../crash/checks';
import type { Booking, Meter } from '../crash/emulator';
import type { Limits, Line } from './lines';
import type { Books, PauseEntry, SendEntry } from './readings';
import { backlogPeriod, longestBelow, meanOf, peakOf, toWindowSpans, type Span } from './spans';

export type { Check };

const about = (what: string): Check['offenders'][number] => ({ what, generationId: null });

const scopes = {
  concurrent: 'concurrent',
  requestsPerMinute: 'minute',
  requestsPerDay: 'day',
  tokensPerMinute: 'tokens',
} as const satisfies Record<keyof Limits, string>;

const limitsOf = ({ limits }: Line): [keyof Limits, number][] => Object.entries(limits) as [keyof Limits, number][];

const isOf = ({ provider, limitedModel }: Line, row: { provider: string; model: string | null }): boolean =>
  row.provider === provider && (limitedModel === undefined || row.model === limitedModel);

/** The provider's own counts of what the line's limits are about: one for each key. */
const metersOf = (meters: readonly Meter[], line: Line): Meter[] =>
  meters.filter((meter) => isOf(line, meter) && (line.limitedModel === undefined) === (meter.model === null));

const groupByKey = (rows: readonly Booking[]): Booking[][] => {
  const groups = new Map<string, Booking[]>();
  for (const row of rows) groups.set(row.credential, [...(groups.get(row.credential) ?? []), row]);
  return [...groups.values()];
};

const minuteMs = 60_000;

const runSpans = (rows: readonly Booking[]): Span[] =>
  rows.map(({ submittedAt, endedAt }) => ({
    fromMs: Date.parse(submittedAt),
    untilMs: endedAt === null ? Date.now() : Date.parse(endedAt),
  }));

const timesOf = (rows: readonly Booking[]): number[] => rows.map(({ submittedAt }) => Date.parse(submittedAt));

/** What counts against the limit, from the provider's list of what it accepted. */
const spansOf = (name: keyof Limits, rows: readonly Booking[]): Span[] | null => {
  if (name === 'concurrent') return runSpans(rows);
  if (name === 'requestsPerMinute') return toWindowSpans(timesOf(rows), minuteMs);
  return name === 'requestsPerDay' ? toWindowSpans(timesOf(rows), 1_440 * minuteMs) : null;
};

export type Row = {
  line: string;
  limit: string;
  keys: number;
  /** The most that one key had at one time. */
  most: number;
  allowed: number;
  accepted: number;
  refused: number;
  waited: number;
  /** Of what all keys allow, while more was waiting; `null`: nothing was, or it cannot be told. */
  utilisation: number | null;
  /** The longest time with room although more was waiting, in ms. */
  idleMs: number | null;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Our windows are a second longer than the provider's: for that second there is no room. */
const marginMs = 1_000;

type Use = { utilisation: number | null; idleMs: number | null };

const useOf = ([name, most]: [keyof Limits, number], groups: readonly Booking[][], steadyMs: number): Use => {
  if (name === 'requestsPerDay' || name === 'tokensPerMinute') return { utilisation: null, idleMs: null };
  const uses = groups.flatMap((rows) => {
    const spans = spansOf(name, rows) ?? [];
    const backlog = backlogPeriod(spans, most);
    const period = backlog && { ...backlog, fromMs: Math.max(backlog.fromMs, steadyMs) };
    if (!period || period.fromMs >= period.untilMs) return [];
    const ours = name === 'concurrent' ? spans : spans.map((span) => ({ ...span, untilMs: span.untilMs + marginMs }));
    return [{ share: meanOf(spans, period) / most, idleMs: longestBelow(ours, most, period) }];
  });
  if (uses.length === 0) return { utilisation: null, idleMs: null };
  return {
    utilisation: sum(uses.map(({ share }) => share)) / uses.length,
    idleMs: Math.max(...uses.map(({ idleMs }) => idleMs)),
  };
};

/** How each limit of a line was kept, and how it was used once all was accepted that was asked for. */
export const measureLine = ({ ledger, meters }: Books, line: Line, steadyMs = 0): Row[] => {
  const groups = groupByKey(ledger.filter((row) => isOf(line, row)));
  const own = metersOf(meters, line);
  return limitsOf(line).map(([name, allowed]) => {
    const counted = own.map(({ peaks }) => peaks[scopes[name]] ?? 0);
    const recounted = groups.map((rows) => peakOf(spansOf(name, rows) ?? []));
    return {
      ...{ line: line.name, limit: name, keys: line.keys.length, allowed },
      most: Math.max(0, ...counted, ...recounted),
      accepted: sum(own.map(({ accepted }) => accepted)),
      refused: sum(own.flatMap(({ refused }) => Object.values(refused))),
      waited: sum(own.map(({ waited }) => waited)),
      ...useOf([name, allowed], groups, steadyMs),
    };
  });
};

export const checkLimits = (rows: readonly Row[]): Check => ({
  promise: 'No provider ever sees more than its limits allow',
  figure: `${rows.length} limits, ${sum(rows.map(({ accepted }) => accepted))} submits`,
  offenders: rows
    .filter(({ most, allowed }) => most > allowed)
    .map(({ line, limit, most, allowed }) => about(`${line}: ${most} at a time, ${limit} is ${allowed}`)),
});

export const checkRefusals = (rows: readonly Row[]): Check => {
  const offenders = rows
    .filter(({ refused, waited }) => refused + waited > 0)
    .map(({ line, refused, waited }) => about(`${line}: ${refused} refused with 429, ${waited} had to wait there`));
  return {
    promise: 'No provider ever answers 429, or lets work wait',
    figure: `${sum(rows.map(({ refused }) => refused))} times 429, ${sum(rows.map(({ waited }) => waited))} waited`,
    offenders,
  };
};

const leastUtilisation = 0.9;

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Of a line with two limits the tighter one counts. */
export const checkUtilisation = (rows: readonly Row[]): Check => {
  const best = new Map<string, number>();
  for (const { line, utilisation } of rows)
    if (utilisation !== null) best.set(line, Math.max(best.get(line) ?? 0, utilisation));
  const low = [...best].filter(([, utilisation]) => utilisation < leastUtilisation);
  return {
    promise: `Under a backlog at least ${percent(leastUtilisation)} of a limit is used`,
    figure: [...best].map(([line, utilisation]) => `${line} ${percent(utilisation)}`).join(', '),
    offenders: low.map(([line, utilisation]) => about(`${line}: ${percent(utilisation)}`)),
  };
};

/** Longer without a send than any look at the queues comes late: somebody was not told that there was room. */
export const checkIdle = (rows: readonly Row[], mostMs: number): Check => {
  const known = rows.flatMap(({ line, idleMs }) => (idleMs === null ? [] : [{ line, idleMs }]));
  const longest = new Map<string, number>();
  // with two limits, the one that binds is used at least whenever the other one is not
  for (const { line, idleMs } of known) longest.set(line, Math.min(longest.get(line) ?? Infinity, idleMs));
  return {
    promise: `Nobody waits for longer than ${mostMs / 1000} s while there is room`,
    figure: [...longest].map(([line, idleMs]) => `${line} ${Math.round(idleMs)} ms`).join(', '),
    offenders: [...longest]
      .filter(([, idleMs]) => idleMs > mostMs)
      .map(([line, idleMs]) => about(`${line}: ${Math.round(idleMs)} ms`)),
  };
};

const keyOf = ({ provider, credential }: { provider: string; credential: string }): string =>
  `${provider}/${credential}`;

/** Ours: what was announced after the pause stood in the database. */
export const checkPauses = (
  { sends, ledger }: Books,
  pauses: readonly PauseEntry[],
  refusals: readonly Refusal[],
): Check => {
  const early = pauses.flatMap((pause) =>
    sends
      .filter((send) => keyOf(send) === keyOf(pause) && send.sentMs > pause.atMs && send.sentMs < pause.untilMs)
      .map(({ generationId, sentMs }) =>
        about(`${generationId} was sent with ${keyOf(pause)} ${Math.round(pause.untilMs - sentMs)} ms too early`),
      ),
  );
  const seen = refusals.flatMap((refusal) =>
    ledger
      .filter((row) => keyOf(row) === keyOf(refusal))
      .map(({ submittedAt }) => Date.parse(submittedAt) - refusal.atMs)
      .filter((afterMs) => afterMs > onTheirWayMs && afterMs < refusal.retryAfterMs)
      .map((afterMs) => about(`${keyOf(refusal)} got a submit ${afterMs} ms after it had asked for rest`)),
  );
  return {
    promise: 'Nothing is sent with a key before its Retry-After is over',
    figure: `${refusals.length} times 429 by order, ${pauses.length} pauses`,
    offenders: refusals.length > 0 && pauses.length === 0 ? [about('no key was paused')] : [...early, ...seen],
  };
};

/** A 429 that the provider gave by order. */
export type Refusal = { provider: string; credential: string; atMs: number; retryAfterMs: number };

/** Sent before the answer was there. */
const onTheirWayMs = 1_000;

/** What one key was refused another one takes over, in the same attempt. */
export const checkFailover = (sends: readonly SendEntry[], prompts: readonly string[]): Check => {
  const wrong = prompts.flatMap((prompt) => {
    const own = sends.filter((send) => send.prompt === prompt);
    const keys = new Set(own.map(({ credential }) => credential));
    const attempts = new Set(own.map(({ number }) => number));
    return own.length >= 2 && keys.size >= 2 && attempts.size === 1
      ? []
      : [about(`${own.map(({ number, credential }) => `${number} with ${credential}`).join(', ') || 'nothing'} sent`)];
  });
  return {
    promise: 'What one key was refused goes with the next one, in the same attempt',
    figure: `${prompts.length} refused`,
    offenders: wrong,
  };
};

export const checkEnds = ({ generations }: Books, lines: readonly Line[]): Check => {
  const models = new Set(lines.map(({ model }) => model));
  const own = generations.filter(({ model }) => models.has(model));
  const left = own.filter(({ status }) => status !== 'succeeded');
  return {
    promise: 'Every generation gets its turn and succeeds',
    figure: `${own.length - left.length} of ${own.length}`,
    offenders: left.map(({ id, model, status, phase }) => ({
      what: `${id} (${model}) is ${status}, ${phase ?? 'no phase'}`,
      generationId: id,
    })),
  };
};

/** Of a line whose day is used up: who is left waits, and does not fail. A request whose answer died with its process is used up too. */
export const checkWaiting = ({ generations, sends }: Books, line: Line): Check => {
  const own = generations.filter(({ model }) => model === line.model);
  const allowed = line.limits.requestsPerDay ?? 0;
  const done = own.filter(({ status }) => status === 'succeeded').length;
  const lost = sends.filter(({ model, status }) => model === line.model && status === 'ambiguous').length;
  const waiting = own.filter(({ phase }) => phase === 'waiting_for_capacity').length;
  const isRight = done + lost === allowed && waiting === own.length - done;
  const figure = `${done} made, ${lost} lost, ${waiting} of ${own.length} wait`;
  return { promise: 'What a day does not allow waits', figure, offenders: isRight ? [] : [about(figure)] };
};
