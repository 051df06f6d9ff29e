import { Context } from '@temporalio/activity';
import type { AttemptStep } from '../domain/attempt-step';
import { headBytes, typeOfResult, unknownType, withHead } from '../domain/media-type';
import { DownloadError, type DownloadFault } from '../providers/download';
import { ProviderError, type Credential } from '../providers/provider';
import { listArtifacts, recordArtifacts, type NewArtifact } from '../stores/artifacts';
import {
  operationOf,
  outputsOf,
  readAttempt,
  recordEnding,
  replaceOutputs,
  type AttemptKey,
  type StoredOutput,
} from '../stores/attempts';
import type { Stored } from '../stores/blobs';
import { traceOf, type Dependencies } from './dependencies';
import { withHeartbeat } from './heartbeat';
import { callOf, readWork, type Work } from './look';
import { blobKey, keepOutputs } from './results';
import { stepOf } from './step';

const maximumBytes = 2 * 1024 ** 3;
const downloadTimeoutMs = 15 * 60_000;

type Fault = 'gone' | 'refused';

type Link = Extract<StoredOutput, { kind: 'url' }>;

/** Read for this one request: nothing that is stored holds the key. */
export const headersFor = (
  { headers, credentialHeader }: Link,
  credential: Credential | null,
): Record<string, string> => {
  if (!credentialHeader) return headers ?? {};
  if (!credential) throw new Error('the key that opens this result is not configured');
  const { name, scheme } = credentialHeader;
  return { ...headers, [name]: scheme === null ? credential.secret : `${scheme} ${credential.secret}` };
};

/** `recorded`: what an earlier run wrote down of this key. */
type Target = { output: Link; key: string; recorded: Recorded | undefined };

type Recorded = { key: string; sha256: string; contentType: string };

type Fetched = Stored & { contentType: string };

type Told = readonly (string | null)[];

/** By its bytes, then by what it was called. `null`: certainly not what was asked for. */
const findType = ({ generation: { request } }: Work, head: Uint8Array, told: Told): string | null => {
  const { medium } = request;
  return medium === 'text' ? (told.find((type) => type !== null) ?? unknownType) : typeOfResult(head, { medium, told });
};

const typeOf = (work: Work, head: Uint8Array, told: Told): string => {
  const type = findType(work, head, told);
  if (type === null)
    throw new DownloadError('foreign', `what came instead of it is not ${work.generation.request.medium}`);
  return type;
};

const headOf = async ({ blobs }: Dependencies, key: string): Promise<Uint8Array> =>
  (await blobs.peek(key, headBytes)) ?? new Uint8Array();

/** Brought in by an earlier run, and undamaged; by now its link may have died. */
const reuse = async (
  dependencies: Dependencies,
  work: Work,
  { target, found }: { target: Target; found: Stored },
): Promise<Fetched | null> => {
  const { output, key, recorded } = target;
  if (recorded) return recorded.sha256 === found.sha256 ? { ...found, contentType: recorded.contentType } : null;
  const contentType = findType(work, await headOf(dependencies, key), [output.contentType]);
  return contentType === null || contentType === unknownType ? null : { ...found, contentType };
};

const fetchInto = async (dependencies: Dependencies, work: Work, target: Target): Promise<Fetched> => {
  const { blobs } = dependencies;
  const { output, key } = target;
  const found = await blobs.inspect(key);
  const kept = found && (await reuse(dependencies, work, { target, found }));
  if (kept) return kept;
  const answer = await dependencies.download(output.url, {
    headers: headersFor(output, work.credential),
    deadlineMs: downloadTimeoutMs,
    maximumBytes,
    allowedOrigin: work.credential?.baseUrl ?? null,
  });
  let contentType: string = unknownType;
  const judged = withHead(answer.body, (head) => {
    contentType = typeOf(work, head, [output.contentType, answer.headers['content-type'] ?? null]);
  });
  // of two runs at a time the first one's bytes stay, and both write those down
  const stored = await (found ? blobs.write(key, judged) : blobs.writeOnce(key, judged));
  return { ...stored, contentType };
};

const textType = (work: Work): string =>
  work.generation.request.input.schema === null ? 'text/plain; charset=utf-8' : 'application/json';

/** Into the blob store, or found there with the hash it was stored with. */
const storeOne = async (
  dependencies: Dependencies,
  work: Work,
  { output, index, recorded }: { output: StoredOutput; index: number; recorded: readonly Recorded[] },
): Promise<NewArtifact> => {
  const key = blobKey(work.attempt, index);
  if (output.kind === 'text') {
    const stored = await dependencies.blobs.write(key, Buffer.from(output.text, 'utf8'));
    return { index, key, contentType: textType(work), ...stored };
  }
  if (output.kind === 'blob') {
    const found = await dependencies.blobs.inspect(output.key);
    if (found?.sha256 !== output.sha256) throw new DownloadError('gone', 'the stored bytes are missing or damaged');
    const contentType = typeOf(work, await headOf(dependencies, output.key), [output.contentType]);
    return { index, key: output.key, contentType, ...found };
  }
  const earlier = recorded.find((row) => row.key === key);
  return { index, key, ...(await fetchInto(dependencies, work, { output, key, recorded: earlier })) };
};

const storeAll = async (
  dependencies: Dependencies,
  work: Work,
  outputs: readonly StoredOutput[],
): Promise<NewArtifact[]> => {
  const recorded = await listArtifacts(dependencies.database, work.key.generationId);
  const artifacts: NewArtifact[] = [];
  for (const [index, output] of outputs.entries())
    artifacts.push(await storeOne(dependencies, work, { output, index, recorded }));
  return artifacts;
};

/** A link that died may have a successor: looking at the operation again is free. */
const freshOutputs = async (dependencies: Dependencies, work: Work): Promise<StoredOutput[] | null> => {
  if (!work.provider.check || work.attempt.operation === null || !work.credential) return null;
  try {
    const outcome = await work.provider.check(work.model, operationOf(work.attempt), callOf(work, dependencies));
    if (outcome.state !== 'succeeded') return null;
    const outputs = await keepOutputs(dependencies, work.attempt, outcome.outputs);
    await replaceOutputs(dependencies.database, work.key, outputs);
    return outputs;
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'provider_result_lost') return null;
    throw error;
  }
};

/** Some answer for a link that died with a page, and say that all is well. */
const deadLinks: readonly DownloadFault[] = ['gone', 'foreign'];

const refusesRequest = (status: number): boolean => status >= 400 && status < 500 && status !== 408 && status !== 429;

/** Refusals that pass are told apart from those that stay: a link that died answers all sorts of 4xx. */
const faultOf = (error: unknown): Fault | null => {
  if (!(error instanceof DownloadError)) return null;
  const { fault, status } = error;
  if (deadLinks.includes(fault) || (status !== null && refusesRequest(status))) return 'gone';
  return fault === 'refused' || fault === 'too_large' ? 'refused' : null;
};

/** A dead link is asked again for a while: a network between us and the bytes may have said so. Other faults, for a day. */
const patienceMs = { gone: 120_000, other: 24 * 3_600_000 };

const isHopeless = (fault: Fault | null, { settings }: Dependencies): boolean => {
  if (fault === 'refused') return true;
  const waitedMs = Date.now() - Context.current().info.scheduledTimestampMs;
  return waitedMs > (fault === 'gone' ? patienceMs.gone * settings.pollScale : patienceMs.other);
};

/** An earlier run got this far and could not say so. */
const isStored = async ({ database, blobs }: Dependencies, work: Work): Promise<boolean> => {
  const rows = await listArtifacts(database, work.key.generationId);
  if (rows.length === 0 || rows.length !== outputsOf(work.attempt).length) return false;
  const found = await Promise.all(rows.map((row) => blobs.inspect(row.key)));
  return rows.every((row, index) => found[index]?.sha256 === row.sha256);
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
    await withHeartbeat(() => storeOnce(dependencies, work));
    dependencies.reached('stored');
    return { state: 'succeeded', stored: true };
  } catch (error) {
    if (!isHopeless(faultOf(error), dependencies)) throw error;
    return lose(dependencies, work, error as Error);
  }
};

const storeOnce = async (dependencies: Dependencies, work: Work): Promise<void> => {
  if (await isStored(dependencies, work)) return;
  const artifacts = await storeOrRefresh(dependencies, work);
  const { generationId, number } = work.key;
  dependencies.reached('downloaded');
  await recordArtifacts(dependencies.database, { generationId, attempt: number, artifacts });
};

/**
 * Results that came with the answer are stored in the same step: there is nothing to wait for. What goes wrong is left
 * to the step that stores, with its patience.
 */
export const storeAtOnce = async (dependencies: Dependencies, key: AttemptKey): Promise<AttemptStep> => {
  try {
    const work = await readWork(dependencies, key);
    const local = outputsOf(work.attempt).every(({ kind }) => kind !== 'url');
    if (!local || work.attempt.status !== 'succeeded') return stepOf(work.attempt);
    await storeOnce(dependencies, work);
    return { state: 'succeeded', stored: true };
  } catch (error) {
    dependencies.logger.warn({ attempt: traceOf(key), error: (error as Error).message }, 'not stored at once');
    return { state: 'succeeded', stored: false };
  }
};
