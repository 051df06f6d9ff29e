import { findModel, findProvider, openCredential, traceOf, type Dependencies } from './dependencies';
import { adaptInput } from '../domain/adapted-input';
import type { GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { ProviderError, type Call, type Operation, type Provider } from '../providers/provider';
import {
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  type AttemptKey,
  type AttemptRow,
  type Ending,
} from '../stores/attempts';
import { readGeneration } from '../stores/generations';
import { listCallbacks } from '../stores/provider-callbacks';
import { comeBackLater } from './step';

/** How an attempt ends whose answer is lost. `epoch` is of the send this is known of. */
export const lost = (epoch: number, message: string): Ending => ({
  status: 'ambiguous',
  code: 'provider_submit_ambiguous',
  message: `the provider may have accepted this submit, its answer was lost: ${message}`,
  costUsd: null,
  from: ['submitting'],
  epoch,
});

/** For how long a list that cannot be read, or that may still change, is asked again. */
const patienceMs = 30 * 60_000;
const askAgainMs = 5_000;

type Asked = { provider: Provider; model: Model; call: Call };

/** The provider may have told by itself what our sender did not live to hear. */
const readCallbacks = async (
  { database, logger }: Dependencies,
  subject: AttemptRow,
  { provider, model, call }: Asked,
): Promise<Operation | null> => {
  if (!provider.readCallback) return null;
  for (const callback of await listCallbacks(database, subject)) {
    const read = await provider.readCallback(model, callback, call);
    if (read !== 'forged') return read;
    logger.warn({ attempt: call.trace }, 'a message about this attempt is not from its provider');
  }
  return null;
};

const prepareToAsk = async (
  dependencies: Dependencies,
  subject: AttemptRow,
  deadlineMs: number,
): Promise<Asked | null> => {
  const provider = findProvider(dependencies, subject.provider);
  const credential = await openCredential(dependencies, subject);
  if (!credential) return null;
  const call = { credential, trace: traceOf(subject), deadlineMs, store: dependencies.settings.store(provider.id) };
  return { provider, model: findModel(dependencies, subject.model), call };
};

type Answered = Operation | 'absent' | 'unknown';

/** A message about accepted work comes when it is done. */
const announcedWithinMs = ({ typicalSeconds }: Model, { settings }: Dependencies): number =>
  (60_000 + 2_000 * typicalSeconds) * Math.min(1, settings.pollScale);

const askList = async (
  { sentAt, startedAt }: AttemptRow,
  { provider, model, call }: Asked,
  { input }: GenerationRequest,
): Promise<Answered> =>
  (await provider.find?.(model, { at: sentAt ?? startedAt, input: adaptInput(model, input) }, call)) ?? 'unknown';

/** What it has cannot be read now, or is not up to date yet. After half an hour nobody waits for it any more. */
const withPatience = (error: unknown, silentMs: number): unknown =>
  error instanceof ProviderError && silentMs <= patienceMs
    ? comeBackLater('not_settled', error.retryAfterMs ?? askAgainMs)
    : error;

/** The recovery doors, where the provider has any and we have the key. */
const ask = async (dependencies: Dependencies, subject: AttemptRow, deadlineMs: number): Promise<Answered> => {
  const asked = await prepareToAsk(dependencies, subject, deadlineMs);
  if (!asked) return 'unknown';
  const { now, request } = await readGeneration(dependencies.database, subject.generationId);
  const silentMs = now.getTime() - (subject.sentAt ?? subject.startedAt).getTime();
  try {
    const told = await readCallbacks(dependencies, subject, asked);
    const found = told ?? (await askList(subject, asked, request));
    if (found === 'unknown' && subject.announced && silentMs < announcedWithinMs(asked.model, dependencies))
      throw comeBackLater('not_settled', askAgainMs);
    return found;
  } catch (error) {
    throw withPatience(error, silentMs - (subject.sendTimeoutMs ?? 0));
  }
};

/** A door that stays shut tells nothing. */
const asUnknown = (error: unknown): 'unknown' => {
  if (error instanceof ProviderError) return 'unknown';
  throw error;
};

/**
 * Decides, as well as it can be known, what became of a send that nobody recorded. Only once no answer can come any
 * more: until then its sender may still be at work.
 */
export const settleFate = async (
  dependencies: Dependencies,
  subject: AttemptRow,
  deadlineMs: number,
): Promise<void> => {
  const { database } = dependencies;
  const key: AttemptKey = { generationId: subject.generationId, number: subject.number };
  const found = await ask(dependencies, subject, deadlineMs).catch(asUnknown);
  if (found === 'unknown')
    await recordEnding(database, key, lost(subject.epoch, 'nobody recorded one, and the provider cannot tell'));
  else if (found === 'absent')
    await recordNotAccepted(database, key, {
      code: 'provider_server_error',
      message: 'the provider never received it',
      counts: false,
      epoch: subject.epoch,
    });
  else await adopt(dependencies, subject, found);
};

/** A person may have given this operation to another attempt: this one then has nothing to wait for. */
const adopt = async ({ database }: Dependencies, subject: AttemptRow, operation: Operation): Promise<void> => {
  const { generationId, number, epoch } = subject;
  const owner = await recordSubmitted(database, subject, { operation, providerRequestId: null });
  if (owner.generationId === generationId && owner.number === number) return;
  const message = `its work belongs to attempt ${owner.number} of ${owner.generationId}`;
  await recordEnding(database, { generationId, number }, lost(epoch, message));
};

/** A lost answer that turned up after all: its provider has told something since. Returns whether the work is this one's now. */
export const recoverAnnounced = async (
  dependencies: Dependencies,
  subject: AttemptRow,
  deadlineMs: number,
): Promise<boolean> => {
  const asked = await prepareToAsk(dependencies, subject, deadlineMs);
  const operation = asked && (await readCallbacks(dependencies, subject, asked));
  if (!operation) return false;
  const owner = await recordSubmitted(dependencies.database, subject, { operation, providerRequestId: null });
  return owner.generationId === subject.generationId && owner.number === subject.number;
};
