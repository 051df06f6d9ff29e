import { findCredential, findModel, findProvider, traceOf, type Dependencies } from './dependencies';
import { adaptInput } from '../domain/adapted-input';
import type { Operation } from '../providers/provider';
import {
  recordEnding,
  recordNotAccepted,
  recordSubmitted,
  type AttemptKey,
  type AttemptRow,
  type Ending,
} from '../stores/attempts';
import { readGeneration } from '../stores/generations';

/** How an attempt ends whose answer is lost. `epoch` is of the send this is known of. */
export const lost = (epoch: number, message: string): Ending => ({
  status: 'ambiguous',
  code: 'provider_submit_ambiguous',
  message: `the provider may have accepted this submit, its answer was lost: ${message}`,
  costUsd: null,
  from: ['submitting'],
  epoch,
});

/** The recovery door, where the provider has one and we have the key. */
const ask = async (
  dependencies: Dependencies,
  subject: AttemptRow,
  deadlineMs: number,
): Promise<Operation | 'absent' | 'unknown'> => {
  const provider = findProvider(dependencies, subject.provider);
  const credential = findCredential(dependencies, subject);
  if (!provider.find || !credential) return 'unknown';
  const model = findModel(dependencies, subject.model);
  const { request } = await readGeneration(dependencies.database, subject.generationId);
  const sent = { at: subject.sentAt ?? subject.startedAt, input: adaptInput(model, request.input) };
  return provider.find(model, sent, { credential, trace: traceOf(subject), deadlineMs });
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
  const found = await ask(dependencies, subject, deadlineMs);
  if (found === 'unknown')
    await recordEnding(database, key, lost(subject.epoch, 'nobody recorded one, and the provider cannot tell'));
  else if (found === 'absent')
    await recordNotAccepted(database, key, {
      code: 'provider_server_error',
      message: 'the provider never received it',
      counts: false,
      epoch: subject.epoch,
    });
  else await recordSubmitted(database, key, { operation: found, providerRequestId: null });
};
