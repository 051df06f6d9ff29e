import type { GenerationRequest } from '../domain/generation';
import type { Model } from '../domain/model';
import { ProviderError, type Call, type Credential, type Provider, type ReadyInput } from '../providers/provider';
import type { Sender } from '../stores/attempt-take';
import type { AttemptKey, AttemptRow } from '../stores/attempts';
import type { LockedGeneration } from '../stores/generations';
import { leaveLine } from '../stores/turns';
import {
  findModel,
  findProvider,
  gatewayOf,
  openCredential,
  openListed,
  traceOf,
  type Dependencies,
} from './dependencies';
import { readReadyInput } from './ready-input';
import { comeBackLater } from './step';
import { holdTurn, tokensOf } from './turns';

/** Everything one submit is made with. */
export type Sending = {
  key: AttemptKey;
  provider: Provider;
  model: Model;
  /** `null`: none is configured (any more). */
  credential: Credential | null;
  /** Of the paid call. */
  deadlineMs: number;
  /** The most it may use. */
  tokens: number;
  priority: GenerationRequest['priority'];
  /** Where the provider may announce the end of the work. */
  callbackUrl: string | null;
};

/**
 * What goes over the wire; or why nothing can, which counts as a refusal of the send. `null`: not made ready, for when it
 * was read somebody else was sending.
 */
export type Parcel = ReadyInput | ProviderError | null;

type SubmitCall = Call & { requestId: () => string | null };

type Prepared = { sending: Sending; parcel: Parcel };

/** Of the uploads that a model needs before its paid request, in ms. */
const stagingTimeoutMs = 5 * 60_000;

/** The key it is its turn with; of what was sent already, the key it was sent with. */
const chooseCredential = async (
  dependencies: Dependencies,
  attempt: AttemptRow,
  alias: string | null,
): Promise<Credential | null> => {
  if (attempt.status !== 'planned') return openCredential(dependencies, attempt);
  if (alias === null) return null;
  return openListed(dependencies, { provider: attempt.provider, credential: alias });
};

/** An attempt, its generation, and the key whose turn it is. */
type Subject = { attempt: AttemptRow; generation: LockedGeneration; alias: string | null };

export const prepareSending = async (dependencies: Dependencies, subject: Subject): Promise<Prepared> => {
  const { attempt, generation, alias } = subject;
  const key = { generationId: attempt.generationId, number: attempt.number };
  const provider = findProvider(dependencies, attempt.provider);
  const model = findModel(dependencies, attempt.model);
  const credential = await chooseCredential(dependencies, attempt, alias);
  const deadlineMs = dependencies.settings.submitTimeoutMs(model, credential);
  const { request } = generation;
  const announces = provider.announces?.(model) === true && credential?.gateway === undefined;
  const callbackUrl = announces ? dependencies.callbackUrlFor(provider.id, key) : null;
  const tokens = tokensOf(model, request);
  const sending = { key, provider, model, credential, deadlineMs, tokens, priority: request.priority, callbackUrl };
  if (alias === null) return { sending, parcel: null };
  // nobody here can use it: to get in line again
  if (credential === null) return passOn(dependencies, key);
  return { sending, parcel: await holdTurn(dependencies, key, () => makeParcel(dependencies, sending, request)) };
};

const passOn = async ({ database }: Dependencies, key: AttemptKey): Promise<never> => {
  await leaveLine(database, key);
  throw comeBackLater('not_accepted', 1_000);
};

const makeParcel = async (
  dependencies: Dependencies,
  sending: Sending,
  { input }: GenerationRequest,
): Promise<Parcel> => {
  const { provider, model, credential } = sending;
  if (!credential) return null;
  try {
    const ready = await readReadyInput(dependencies, model, input);
    const call = { ...callFor(dependencies, sending, credential), deadlineMs: stagingTimeoutMs };
    const staged = provider.stage ? await provider.stage(model, ready, call) : ready;
    dependencies.reached('staged');
    return staged;
  } catch (error) {
    if (error instanceof ProviderError) return notSent(error);
    throw error;
  }
};

/** Whatever the provider made of an upload, the paid request was not sent. */
const notSent = ({ code, message, scope, retryAfterMs, httpStatus }: ProviderError): ProviderError =>
  new ProviderError(code, message, { accepted: 'no', scope, retryAfterMs, httpStatus });

export const callFor = ({ settings }: Dependencies, sending: Sending, credential: Credential): SubmitCall => {
  let requestId: string | null = null;
  return {
    credential,
    trace: traceOf(sending.key),
    deadlineMs: sending.deadlineMs,
    priority: sending.priority,
    store: settings.store(sending.provider.id),
    ...(sending.callbackUrl !== null && { webhookUrl: sending.callbackUrl }),
    onExchange: (exchange) => (requestId = exchange.requestId ?? requestId),
    requestId: () => requestId,
  };
};

/** The key is kept before anything is sent with it: what it opens can be looked at for as long as it takes. */
export const describeSender = async (dependencies: Dependencies, sending: Sending): Promise<Sender> => {
  const { provider, credential, deadlineMs, callbackUrl, tokens } = sending;
  return {
    tokens,
    sender: dependencies.newSender(),
    credential: credential?.alias ?? null,
    credentialPrint: credential && (await dependencies.vault.keep(provider.id, credential)),
    gateway: gatewayOf(credential),
    sendTimeoutMs: deadlineMs,
    announced: callbackUrl !== null,
  };
};
