import { adaptInput } from '../domain/adapted-input';
import type { AttemptStep } from '../domain/attempt-step';
import type { FailureCode } from '../domain/failure';
import type { GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { inTheRunning } from '../domain/routing';
import { alternativeTo } from '../domain/next-attempt';
import { estimateTokens } from '../domain/pricing';
import { isTooDear, priorities, type Key } from '../domain/turns';
import { recordEnding, type AttemptKey, type AttemptRow } from '../stores/attempts';
import { publishChange, type LockedGeneration } from '../stores/generations';
import { joinLine, keepTurn, readPlace, waitInLine } from '../stores/turns';
import { readCapacity } from './capacity';
import { findModel, type Dependencies } from './dependencies';
import { giveOn, readKeys } from './rounds';

/**
 * Whoever waits is told when its turn has come, again and again. Nevertheless it asks by itself, after as long as it expects to wait:
 * another candidate may have room by then. Without another one there is little to ask for.
 */
const askAgainMs = { soonest: 10 * 60_000, latest: 60 * 60_000, alone: 6 * 3_600_000 };

export type Coming =
  /** Its turn, with this key. */
  | { kind: 'turn'; credential: string }
  /** It waits, or another candidate does it. */
  | { kind: 'step'; step: AttemptStep }
  /** It is not to be sent any more. */
  | { kind: 'over' };

/** The most one submit of this request uses. */
export const tokensOf = (model: Model, { input }: GenerationRequest): number =>
  estimateTokens(model, adaptInput(model, input));

const keepEveryMs = 15_000;

/** Keeps the turn for as long as `work` takes: uploads may take minutes. */
export const holdTurn = async <Result>(
  { database, logger }: Dependencies,
  key: AttemptKey,
  work: () => Promise<Result>,
): Promise<Result> => {
  const keep = (): void =>
    void keepTurn(database, key).catch((error: unknown) =>
      logger.warn({ error: (error as Error).message }, 'a turn could not be kept'),
    );
  const timer = setInterval(keep, keepEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
};

/** Gets in line and says whether it may be sent now. */
export const comeToTurn = async (
  dependencies: Dependencies,
  { attempt, generation }: { attempt: AttemptRow; generation: LockedGeneration },
): Promise<Coming> => {
  if (generation.cancelRequestedAt !== null || generation.now > generation.deadlineAt) return { kind: 'over' };
  const { database } = dependencies;
  const { generationId, number, provider, model: id, epoch } = attempt;
  const key = { generationId, number };
  const model = findModel(dependencies, id);
  const { request, tenantId } = generation;
  const priority = priorities.indexOf(request.priority);
  const asking = { ...key, provider, model: id, tenantId, priority, tokens: tokensOf(model, request) };
  const joined = await joinLine(database, { ...asking, returns: epoch > 0 });
  const credential = joined.credential ?? (await askForTurn(dependencies, provider, key));
  return credential === null
    ? { kind: 'step', step: await wait(dependencies, { attempt, generation }) }
    : { kind: 'turn', credential };
};

const askForTurn = async (dependencies: Dependencies, provider: string, key: AttemptKey): Promise<string | null> => {
  const given = await giveOn(dependencies, provider);
  const own = given.find(({ turn }) => turn.generationId === key.generationId && turn.number === key.number);
  // somebody else's round may have come first
  return own?.alias ?? (await waitInLine(dependencies.database, key))?.credential ?? null;
};

type Waiter = { attempt: AttemptRow; generation: LockedGeneration };

const reject = async (
  { database }: Dependencies,
  { attempt }: Waiter,
  { code, message }: { code: FailureCode; message: string },
): Promise<AttemptStep> => {
  await recordEnding(database, attempt, { status: 'rejected', code, message, costUsd: '0', from: ['planned'] });
  return { state: 'rejected', code };
};

const wait = async (dependencies: Dependencies, waiter: Waiter): Promise<AttemptStep> => {
  const { database } = dependencies;
  const { attempt, generation } = waiter;
  const { keys } = await readKeys(dependencies, database, attempt.provider);
  if (keys.length === 0) {
    const message = attempt.errorMessage ?? `no key for ${attempt.provider} is configured and switched on`;
    const code = attempt.errorCode === 'provider_insufficient_funds' ? attempt.errorCode : 'provider_auth';
    return reject(dependencies, waiter, { code, message });
  }
  const prospect = await prospectOf(dependencies, attempt, keys);
  const others = othersFor(generation, attempt.model);
  const isLong = prospect.waitMs > dependencies.settings.waitThresholdMs;
  const ready = isLong ? await findReady(dependencies, others) : undefined;
  if (ready !== undefined)
    return reject(dependencies, waiter, { code: 'policy_no_capacity', message: `${prospect.why}; ${ready} has room` });
  await publishChange(database, generation.id, ({ phase }) =>
    phase === 'waiting_for_capacity' ? {} : { phase: 'waiting_for_capacity' },
  );
  const leftMs = generation.deadlineAt.getTime() - generation.now.getTime() + 100;
  const againMs = others.length === 0 ? askAgainMs.alone : clamp(prospect.waitMs, askAgainMs);
  return { state: 'waiting', waitMs: Math.round(Math.max(1, Math.min(againMs, leftMs))) };
};

type Prospect = { waitMs: number; why: string };

/** About how long it waits yet, and why. */
const prospectOf = async ({ database }: Dependencies, attempt: AttemptRow, keys: readonly Key[]): Promise<Prospect> => {
  const { provider, model, estimatedUsd } = attempt;
  const standing = await readPlace(database, attempt);
  // served meanwhile: it will be told
  if (!standing) return { waitMs: 0, why: '' };
  const { place, pace, pausedWork, now } = standing;
  if (pausedWork === 'reroute') return { waitMs: Infinity, why: `${provider} was paused` };
  const costUsd = estimatedUsd === null ? null : Number(estimatedUsd);
  if (isTooDear(keys, { model, costUsd }))
    return { waitMs: Infinity, why: `costs more than ${provider} may be paid this month` };
  const waitMs = pace ? Math.max(0, Date.parse(pace.readyAt) - now.getTime()) + (place - 1) * pace.perTurnMs : 0;
  return { waitMs, why: `would wait about ${Math.ceil(waitMs / 1000)} s for capacity` };
};

const clamp = (ms: number, { soonest, latest }: typeof askAgainMs): number => Math.max(soonest, Math.min(ms, latest));

/** One that could begin at once, the best first. */
const findReady = async (dependencies: Dependencies, others: readonly string[]): Promise<string | undefined> => {
  const capacity = await readCapacity(dependencies, others);
  return others.find((model) => capacity.get(model)?.state === 'ready');
};

/** Those that would be tried after this model, in order. */
const othersFor = ({ decision, request }: LockedGeneration, model: string): string[] => {
  const running = decision ? inTheRunning(decision) : [];
  const others: string[] = [];
  for (
    let next = alternativeTo(model, running, request.routing);
    next;
    next = alternativeTo(next.model, running, request.routing)
  )
    others.push(next.model);
  return others;
};
