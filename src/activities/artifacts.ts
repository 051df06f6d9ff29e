import type { AttemptStep } from '../domain/attempt-step';
import { DownloadError } from '../providers/download';
import { ProviderError } from '../providers/provider';
import { recordArtifacts, type NewArtifact } from '../stores/artifacts';
import {
  operationOf,
  outputsOf,
  readAttempt,
  recordEnding,
  replaceOutputs,
  type AttemptKey,
  type StoredOutput,
} from '../stores/attempts';
import type { Dependencies } from './dependencies';
import { withHeartbeat } from './heartbeat';
import { readWork, type Work } from './look';
import { blobKey, keepOutputs } from './results';
import { stepOf } from './step';

const maximumBytes = 2 * 1024 ** 3;
const downloadTimeoutMs = 15 * 60_000;

type Fault = 'gone' | 'refused';

const plainType = (contentType: string): string => contentType.split(';')[0]?.trim() ?? contentType;

const fetchInto = async (
  dependencies: Dependencies,
  work: Work,
  target: { url: string; key: string; headers?: Record<string, string> },
) => {
  const answer = await dependencies.download(target.url, {
    ...(target.headers && { headers: target.headers }),
    deadlineMs: downloadTimeoutMs,
    maximumBytes,
    allowedOrigin: work.call.credential.baseUrl,
  });
  const stored = await dependencies.blobs.write(target.key, answer.body);
  return { ...stored, contentType: answer.headers['content-type'] ?? null };
};

const textType = (work: Work): string =>
  work.generation.request.input.schema === null ? 'text/plain; charset=utf-8' : 'application/json';

/** Into the blob store, or found there with the hash it was stored with. */
const storeOne = async (
  dependencies: Dependencies,
  work: Work,
  { output, index }: { output: StoredOutput; index: number },
): Promise<NewArtifact> => {
  const key = blobKey(work.key, index);
  if (output.kind === 'text') {
    const stored = await dependencies.blobs.write(key, Buffer.from(output.text, 'utf8'));
    return { index, key, contentType: textType(work), ...stored };
  }
  if (output.kind === 'blob') {
    const found = await dependencies.blobs.inspect(output.key);
    if (found?.sha256 !== output.sha256) throw new DownloadError('gone', 'the stored bytes are missing or damaged');
    return { index, key: output.key, contentType: output.contentType, bytes: found.bytes, sha256: found.sha256 };
  }
  const { contentType, ...stored } = await fetchInto(dependencies, work, { ...output, key });
  const type = output.contentType ?? contentType ?? 'application/octet-stream';
  return { index, key, contentType: plainType(type), ...stored };
};

const storeAll = async (
  dependencies: Dependencies,
  work: Work,
  outputs: readonly StoredOutput[],
): Promise<NewArtifact[]> => {
  const artifacts: NewArtifact[] = [];
  for (const [index, output] of outputs.entries())
    artifacts.push(await storeOne(dependencies, work, { output, index }));
  return artifacts;
};

/** A link that died may have a successor: looking at the operation again is free. */
const freshOutputs = async (dependencies: Dependencies, work: Work): Promise<StoredOutput[] | null> => {
  if (!work.provider.check || work.attempt.operation === null) return null;
  try {
    const outcome = await work.provider.check(work.model, operationOf(work.attempt), work.call);
    if (outcome.state !== 'succeeded') return null;
    const outputs = await keepOutputs(dependencies, work.key, outcome.outputs);
    await replaceOutputs(dependencies.database, work.key, outputs);
    return outputs;
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'provider_result_lost') return null;
    throw error;
  }
};

const faultOf = (error: unknown): Fault | null => {
  if (!(error instanceof DownloadError)) return null;
  if (error.fault === 'gone') return 'gone';
  return error.fault === 'refused' || error.fault === 'too_large' ? 'refused' : null;
};

const storeOrRefresh = async (dependencies: Dependencies, work: Work): Promise<NewArtifact[]> => {
  try {
    return await storeAll(dependencies, work, outputsOf(work.attempt));
  } catch (error) {
    if (faultOf(error) !== 'gone') throw error;
    const fresh = await freshOutputs(dependencies, work);
    if (!fresh) throw error;
    return storeAll(dependencies, work, fresh);
  }
};

/** The work is done and paid, its result cannot be had: that is said, never hidden behind a second payment. */
const lose = async (dependencies: Dependencies, work: Work, error: Error): Promise<AttemptStep> => {
  const message = `the result could not be fetched: ${error.message}`;
  const { costUsd } = work.attempt;
  const cost = costUsd === null ? null : costUsd.toFixed();
  const ending = {
    status: 'failed',
    code: 'provider_result_lost',
    message,
    costUsd: cost,
    from: ['succeeded'],
  } as const;
  await recordEnding(dependencies.database, work.key, ending);
  return stepOf(await readAttempt(dependencies.database, work.key));
};

/**
 * Brings every output into the blob store and verifies it. What may pass is thrown and tried again; a link that stays
 * dead ends the attempt.
 */
export const storeArtifacts = async (dependencies: Dependencies, key: AttemptKey): Promise<AttemptStep> => {
  const work = await readWork(dependencies, key);
  if (work.attempt.supersededBy !== null) return { state: 'fenced' };
  if (work.attempt.status !== 'succeeded') return stepOf(work.attempt);
  try {
    const artifacts = await withHeartbeat(() => storeOrRefresh(dependencies, work));
    await recordArtifacts(dependencies.database, { generationId: key.generationId, attempt: key.number, artifacts });
    return { state: 'succeeded' };
  } catch (error) {
    if (faultOf(error) === null) throw error;
    return lose(dependencies, work, error as Error);
  }
};
