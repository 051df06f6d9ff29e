import { advance, type Lanes } from './lanes';
import type { Journal } from './journal';
import { isOver, type Operation } from './operations';
import type { Limits, Settings } from './settings';
import { correct, createWindow, enter, roomAtMs, slide, type Entry, type Window } from './windows';

/** Which limit of an account. */
export type Scope = 'minute' | 'day' | 'tokens' | 'concurrent';

/** A place in flight: of a submit that is being answered, then of the operation it became. */
type Place = { operation: Operation | null };

/** What one key does, altogether or (`model`) with one model: counted as it comes, so that nothing is ever searched. */
export type Meter = {
  provider: string;
  credential: string;
  model: string | null;
  windows: Record<'minute' | 'day' | 'tokens', Window>;
  places: Set<Place>;
  /** Submits that arrived with a good key, refused ones apart. */
  requests: number;
  accepted: number;
  /** Accepted operations that had to wait for another one to end. */
  waited: number;
  /** Answered 429. */
  refused: Record<Scope, number>;
  /** The most operations that were not over at the same time. */
  peakConcurrent: number;
};

export type Meters = Map<string, Meter>;

/** As much of the world as counting needs. */
type Office = { meters: Meters; lanes: Lanes; journal: Journal; settings: Settings; clock: () => number };

type Account = { provider: string; credential: string; model: string | null };

const minuteMs = 60_000;
const dayMs = 86_400_000;

const createMeter = ({ provider, credential, model }: Account): Meter => ({
  provider,
  credential,
  model,
  windows: { minute: createWindow(minuteMs), day: createWindow(dayMs), tokens: createWindow(minuteMs) },
  places: new Set(),
  requests: 0,
  accepted: 0,
  waited: 0,
  refused: { minute: 0, day: 0, tokens: 0, concurrent: 0 },
  peakConcurrent: 0,
});

const meterOf = ({ meters }: Office, account: Account): Meter => {
  const name = `${account.provider}/${account.credential}/${account.model ?? ''}`;
  const meter = meters.get(name) ?? createMeter(account);
  meters.set(name, meter);
  return meter;
};

/** Of the whole key, and of the model with it. */
const metersOf = (office: Office, { provider, credential, model }: Account): Meter[] =>
  [null, ...(model === null ? [] : [model])].map((one) => meterOf(office, { provider, credential, model: one }));

const limitsOf = ({ settings }: Office, { provider, model }: Omit<Account, 'credential'>): Limits => {
  const limits = settings.limits[provider];
  return (model === null ? limits : limits?.models?.[model]) ?? {};
};

/** Places of what has ended meanwhile are free. Work that waits in a lane may have begun and ended unseen. */
const sweep = (office: Office, { places }: Meter, nowMs: number): void => {
  for (const place of places) {
    if (place.operation?.startedAtMs === null) advance(office, place.operation);
    if (place.operation !== null && isOver(place.operation, nowMs)) places.delete(place);
  }
};

export type Excess = { scope: Scope; most: number; retryAfterSeconds?: number };

const asked: Record<keyof Meter['windows'], (tokens: number) => number> = {
  minute: () => 1,
  day: () => 1,
  tokens: (tokens) => tokens,
};

const limitNames = {
  minute: 'requestsPerMinute',
  day: 'requestsPerDay',
  tokens: 'tokensPerMinute',
  concurrent: 'concurrent',
} as const satisfies Record<Scope, keyof Limits>;

type Arrival = { atMs: number; tokens: number };

const windowNames = ['minute', 'day', 'tokens'] as const;

const excessOfWindows = (meter: Meter, limits: Limits, { atMs, tokens }: Arrival): Excess | undefined => {
  for (const scope of windowNames) {
    const most = limits[limitNames[scope]];
    if (most == null) continue;
    const window = meter.windows[scope];
    slide(window, atMs);
    const roomMs = roomAtMs(window, asked[scope](tokens), most);
    if (roomMs === null) return { scope, most };
    if (roomMs > atMs) return { scope, most, retryAfterSeconds: Math.ceil((roomMs - atMs) / 1000) };
  }
  return undefined;
};

const excessOf = (
  office: Office,
  meter: Meter,
  { arrival, overLimit }: { arrival: Arrival; overLimit: 'queue' | 'refuse' },
): Excess | undefined => {
  const limits = limitsOf(office, meter);
  const excess = excessOfWindows(meter, limits, arrival);
  if (excess !== undefined || overLimit === 'queue' || limits.concurrent == null) return excess;
  sweep(office, meter, arrival.atMs);
  return meter.places.size < limits.concurrent ? undefined : { scope: 'concurrent', most: limits.concurrent };
};

/** A submit that was let in: what it holds, and what it was counted as. */
export type Admission = { place: Place; meters: Meter[]; tokens: Entry[] };

/** A submit arrives. It is let in and counted from now on, or one more would break a limit and nothing is counted. */
export const arrive = (
  office: Office,
  account: Account,
  { tokens, overLimit }: { tokens: number; overLimit: 'queue' | 'refuse' },
): Admission | Excess => {
  const arrival = { atMs: office.clock(), tokens };
  const meters = metersOf(office, account);
  for (const meter of meters) {
    const excess = excessOf(office, meter, { arrival, overLimit });
    if (excess === undefined) continue;
    for (const one of meters) one.refused[excess.scope] += 1;
    return excess;
  }
  const place: Place = { operation: null };
  return { place, meters, tokens: meters.map((meter) => count(meter, place, arrival)) };
};

const count = (meter: Meter, place: Place, { atMs, tokens }: Arrival): Entry => {
  meter.requests += 1;
  meter.places.add(place);
  enter(meter.windows.minute, atMs, 1);
  enter(meter.windows.day, atMs, 1);
  return enter(meter.windows.tokens, atMs, tokens);
};

/** The submit has become an operation. */
export const occupy = (office: Office, { place, meters }: Admission, operation: Operation): void => {
  place.operation = operation;
  for (const meter of meters) {
    sweep(office, meter, office.clock());
    meter.accepted += 1;
    if (operation.startedAtMs !== operation.submittedAtMs) meter.waited += 1;
    const running = [...meter.places].filter((one) => one.operation !== null).length;
    meter.peakConcurrent = Math.max(meter.peakConcurrent, running);
  }
};

/** The submit is answered. `tokens`: what it really used, if that is known. */
export const leave = ({ place, meters, tokens }: Admission, used: number | undefined): void => {
  for (const [index, meter] of meters.entries()) {
    if (place.operation === null) meter.places.delete(place);
    const entry = tokens[index];
    if (entry !== undefined && used !== undefined) correct(meter.windows.tokens, entry, used);
  }
};

/** After a restart, in the order in which they were accepted; what was refused or only asked for is forgotten. */
export const recount = (office: Office, operation: Operation): void => {
  const { provider, credential, model, submittedAtMs } = operation;
  const past = { ...office, clock: () => submittedAtMs };
  const meters = metersOf(office, { provider, credential, model });
  const place: Place = { operation: null };
  const arrival = { atMs: submittedAtMs, tokens: operation.tokens ?? 0 };
  const tokens = meters.map((meter) => count(meter, place, arrival));
  occupy(past, { place, meters, tokens }, operation);
};

const findMeter = ({ meters }: Office, { provider, credential }: Omit<Account, 'model'>): Meter | undefined =>
  meters.get(`${provider}/${credential}/`);

/** Requests of a key that count now. */
export const countRecent = (office: Office, account: Omit<Account, 'model'>, scope: 'minute' | 'day'): number => {
  const window = findMeter(office, account)?.windows[scope];
  if (window === undefined) return 0;
  slide(window, office.clock());
  return window.sum;
};

/** Operations of a key that are not over. */
export const countRunning = (office: Office, account: Omit<Account, 'model'>): number => {
  const meter = findMeter(office, account);
  if (meter === undefined) return 0;
  sweep(office, meter, office.clock());
  return [...meter.places].filter(({ operation }) => operation !== null).length;
};

type Reading = Record<Scope, number>;

/** One account as an operator of the provider would see it. */
type MeterView = Omit<Meter, 'windows' | 'places' | 'peakConcurrent'> & {
  limits: Limits;
  used: Reading;
  peaks: Reading;
};

const viewOf = (office: Office, meter: Meter): MeterView => {
  const nowMs = office.clock();
  sweep(office, meter, nowMs);
  const { windows, places, peakConcurrent, ...counts } = meter;
  for (const window of Object.values(windows)) slide(window, nowMs);
  const { models: _models, ...limits } = limitsOf(office, meter);
  return {
    ...counts,
    limits,
    used: { minute: windows.minute.sum, day: windows.day.sum, tokens: windows.tokens.sum, concurrent: places.size },
    peaks: {
      minute: windows.minute.peak,
      day: windows.day.peak,
      tokens: windows.tokens.peak,
      concurrent: peakConcurrent,
    },
  };
};

export const listMeters = (office: Office): MeterView[] =>
  [...office.meters.values()].map((meter) => viewOf(office, meter));
