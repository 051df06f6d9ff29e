import { countsAsFault, verdictOn, type Told } from '../domain/breaker';
import type { FailureCode } from '../domain/failure';
import { troubleOf } from '../domain/key-health';
import type { ProviderError } from '../providers/provider';
import { recordNews, type BreakerNews, type BreakerPlace } from '../stores/breakers';
import { endTrouble, recordTrouble } from '../stores/key-health';
import { markFaulty, settleSend, unmarkFaulty, type SendKey } from '../stores/send-outcomes';
import { wakeQueue } from '../stores/turns';
import { traceOf, type Dependencies } from './dependencies';

/** How a send went. */
export type SendEnd = {
  outcome: 'accepted' | FailureCode;
  error: ProviderError | null;
  /** Until the answer. */
  latencyMs: number;
  /** What it really used, where the provider has told. */
  tokens: number | null;
};

/** An attempt as it was taken. */
export type SentAttempt = SendKey & {
  provider: string;
  model: string;
  credential: string | null;
  credentialPrint: string | null;
};

/** Figures must not endanger paid work: what goes wrong here is logged and that is all. */
const quietly = async ({ logger }: Dependencies, attempt: SentAttempt, work: () => Promise<void>): Promise<void> => {
  try {
    await work();
  } catch (error) {
    logger.warn(
      { attempt: traceOf(attempt), error: (error as Error).message },
      'how a provider fares could not be noted',
    );
  }
};

const moveBreaker = async (
  { database, settings, logger }: Dependencies,
  place: BreakerPlace,
  news: BreakerNews,
): Promise<void> => {
  const { provider } = place;
  const breaker = await recordNews(database, place, { news, policy: settings.breakerOf(provider) });
  if (!breaker) return;
  logger.warn({ ...place, breaker }, 'a breaker has changed');
  if (breaker.state !== 'open') await wakeQueue(database, provider);
};

const moveKey = async (
  { database, settings }: Dependencies,
  { provider, credential, credentialPrint: print }: SentAttempt,
  { told, sentAt }: { told: Told; sentAt: Date | null },
): Promise<void> => {
  const trouble = troubleOf(told);
  if (!trouble || credential === null || print === null) return;
  // looks that fail are counted by the breaker
  if (sentAt === null && trouble.kind === 'fault' && trouble.retryAfterMs === null) return;
  const { cooldownSeconds } = settings.limitsOf(provider);
  const news = { trouble, code: told.code, sentAt, cooldownSeconds };
  await recordTrouble(database, { provider, alias: credential, print }, news);
};

/**
 * Notes how a send went, once it stands in the ledger: its row of `sends`, its key, its breaker. Before the attempt gets in
 * line again, so that the next turn knows of it.
 */
export const noteSend = (dependencies: Dependencies, attempt: SentAttempt, end: SendEnd): Promise<void> =>
  quietly(dependencies, attempt, async () => {
    const { database } = dependencies;
    const { provider, model, credential, credentialPrint: print } = attempt;
    if (credential === null) return;
    const { outcome, latencyMs, tokens } = end;
    const told = outcome === 'accepted' ? outcome : (end.error ?? { code: outcome });
    const verdict = verdictOn(told);
    const settled = await settleSend(database, attempt, {
      ...{ outcome, latencyMs, tokens, print, isFault: verdict === 'fault' },
    });
    if (!settled) return;
    const { sentAt, keyFailures, isGated } = settled;
    await quietly(dependencies, attempt, async () => {
      if (told !== 'accepted') await moveKey(dependencies, attempt, { told, sentAt });
      else if (keyFailures > 0 && print !== null) await endTrouble(database, { provider, alias: credential, print });
    });
    if (verdict !== 'fault' && !isGated) return;
    const probe = `${attempt.generationId}/${attempt.number}`;
    await moveBreaker(dependencies, { provider, model, credential }, { verdict, attempt: probe, of: 'sends' });
  });

/**
 * Notes what a look at accepted work told of its provider: an error of the look, or the code that the work ended with there.
 * `null`: a look has gone well after others had failed. It closes no breaker: only sends do.
 */
export const noteLook = (dependencies: Dependencies, attempt: SentAttempt, told: Told | null): Promise<void> =>
  quietly(dependencies, attempt, async () => {
    const { database } = dependencies;
    const { provider, model, credential } = attempt;
    if (credential === null) return;
    if (told === null) return unmarkFaulty(database, attempt);
    await quietly(dependencies, attempt, () => moveKey(dependencies, attempt, { told, sentAt: null }));
    if (!countsAsFault(told) || !(await markFaulty(database, attempt))) return;
    const news = { verdict: 'fault', attempt: null, of: 'work' } as const;
    await moveBreaker(dependencies, { provider, model, credential }, news);
  });
