import { Context } from '@temporalio/activity';
import { admit } from '../domain/admission';
import { mediaOf } from '../domain/capabilities';
import { SureshotError } from '../domain/failure';
import type { GenerationRequest, MediaInput } from '../domain/generation';
import {
  headBytes,
  highestMediaBytes,
  isOfKind,
  kindOfSlot,
  mediaTypes,
  sniffMediaType,
  withHead,
} from '../domain/media-type';
import { followSuccessor } from '../domain/routing';
import { DownloadError } from '../providers/download';
import { readGeneration, type LockedGeneration } from '../stores/generations';
import { inputKey, recordInputError, recordStoredMedia } from '../stores/input-media';
import { snapshotFor, type Dependencies } from './dependencies';
import { withHeartbeat } from './heartbeat';

/** What happens next is decided by it: `given_up` and `overdue` go straight to the end. */
export type Fetched = { state: 'fetched' | 'given_up' | 'overdue' };

type Wanted = { pointer: string; url: string };

/** Of one download, and of all tries of it together: what answers neither yes nor no for that long is not there. */
const patienceMs = 5 * 60_000;

const urlOf = ({ origin, stored }: MediaInput): string | null =>
  stored === null && 'url' in origin ? origin.url : null;

/** Named by address, and not in our blob store yet. */
export const listUnfetched = ({ input }: Pick<GenerationRequest, 'input'>): Wanted[] =>
  mediaOf(input).flatMap(({ pointer, media }) => {
    const url = urlOf(media);
    return url === null ? [] : [{ pointer, url }];
  });

const fieldOf = (pointer: string): string => `input.${pointer.replace('/', '.')}`;

/** No part of the address: it may be signed. */
const refuse = (pointer: string, why: string): SureshotError =>
  new SureshotError('caller_invalid_request', `${fieldOf(pointer)} ${why}`);

const judge = (head: Uint8Array, pointer: string): string => {
  if (head.length === 0) throw refuse(pointer, 'is empty');
  const kind = kindOfSlot(pointer);
  const found = sniffMediaType(head);
  if (found !== null && isOfKind(found, kind)) return found;
  throw refuse(pointer, `is ${found ?? 'something else'}; accepted are ${mediaTypes[kind].join(', ')}`);
};

/** An earlier run may have got as far as the blob store: what is there stays, whatever the address answers by now. */
const bringIn = async (
  { blobs, download }: Dependencies,
  { pointer, url }: Wanted,
  { key, deadlineMs }: { key: string; deadlineMs: number },
) => {
  const found = await blobs.inspect(key);
  if (found) return found;
  const answer = await download(url, {
    deadlineMs,
    maximumBytes: highestMediaBytes,
    signal: Context.current().cancellationSignal,
  });
  return blobs.writeOnce(
    key,
    withHead(answer.body, (head) => void judge(head, pointer)),
  );
};

const fetchOne = async (dependencies: Dependencies, generation: LockedGeneration, wanted: Wanted): Promise<void> => {
  const { pointer } = wanted;
  const key = inputKey(generation.id, pointer);
  const leftMs = generation.deadlineAt.getTime() - generation.now.getTime();
  const { bytes, sha256 } = await bringIn(dependencies, wanted, {
    key,
    deadlineMs: Math.max(1, Math.min(patienceMs, leftMs)),
  });
  const contentType = judge((await dependencies.blobs.peek(key, headBytes)) ?? new Uint8Array(), pointer);
  await recordStoredMedia(dependencies.database, generation.id, {
    pointer,
    stored: { key, contentType, bytes, sha256 },
  });
};

const isPassing = ({ fault, status }: DownloadError): boolean => {
  if (fault === 'gone' || fault === 'refused' || fault === 'too_large') return false;
  return fault !== 'status' || (status !== null && (status >= 500 || [408, 425, 429].includes(status)));
};

const reasons: Readonly<Partial<Record<DownloadError['fault'], string>>> = {
  refused: 'leads to an address that nothing is fetched from: it must be https and public, also where it redirects to',
  too_large: `has more than ${highestMediaBytes / 1024 / 1024} MB`,
  unreachable: 'could not be reached',
  stalled: 'did not arrive in time',
  truncated: 'broke off each time',
};

const reasonFor = ({ fault, status }: DownloadError): string =>
  status === null
    ? (reasons[fault] ?? 'could not be fetched')
    : `could not be fetched: its server answered HTTP ${status}`;

/** What may pass stays what it is while there is patience for it; a refusal is for good. */
const asFault = ({ settings }: Dependencies, { pointer }: Wanted, error: unknown): Error => {
  if (!(error instanceof DownloadError)) return error as Error;
  const waitedMs = Date.now() - Context.current().info.scheduledTimestampMs;
  if (isPassing(error) && waitedMs < patienceMs * settings.pollScale) return error;
  return refuse(pointer, reasonFor(error));
};

/** `null`: it is here. */
const tryOne = async (
  dependencies: Dependencies,
  generation: LockedGeneration,
  wanted: Wanted,
): Promise<Error | null> => {
  try {
    await fetchOne(dependencies, generation, wanted);
    return null;
  } catch (error) {
    return asFault(dependencies, wanted, error);
  }
};

/** Now that type and size of all media are known: is there still a model that takes them? */
const findMisfit = (dependencies: Dependencies, generation: LockedGeneration): SureshotError | null => {
  const snapshot = snapshotFor(dependencies, generation);
  try {
    admit(followSuccessor(generation.request, snapshot), snapshot);
    return null;
  } catch (error) {
    // keys may come and go: that is for the choice to tell
    if (!(error instanceof SureshotError) || error.code !== 'caller_invalid_request') return null;
    const [first] = error.violations;
    const detail = first ? `${first.pointer.slice(1).replaceAll('/', '.')} ${first.detail}` : error.message;
    return new SureshotError('caller_invalid_request', detail);
  }
};

const giveUp = async (
  { database, logger }: Dependencies,
  generationId: string,
  { code, message }: SureshotError,
): Promise<Fetched> => {
  logger.info({ generation: generationId, code }, message);
  await recordInputError(database, generationId, { code, message });
  return { state: 'given_up' };
};

const fetchAll = async (dependencies: Dependencies, generationId: string): Promise<Fetched> => {
  const { database } = dependencies;
  const generation = await readGeneration(database, generationId);
  if (generation.inputError !== null) return { state: 'given_up' };
  const unfetched = listUnfetched(generation.request);
  if (unfetched.length > 0 && generation.now > generation.deadlineAt) return { state: 'overdue' };
  const tried = await Promise.all(unfetched.map((wanted) => tryOne(dependencies, generation, wanted)));
  const faults = tried.filter((fault) => fault !== null);
  const refusal = faults.find((fault) => fault instanceof SureshotError);
  if (refusal) return giveUp(dependencies, generationId, refusal);
  if (faults[0]) throw faults[0];
  const misfit = findMisfit(dependencies, await readGeneration(database, generationId));
  return misfit ? giveUp(dependencies, generationId, misfit) : { state: 'fetched' };
};

/**
 * Fetches what the input names by address, once: a later run, attempt or provider finds it in the blob store. What may
 * pass is thrown and tried again, for a while.
 */
export const fetchInputs = (dependencies: Dependencies, { generationId }: { generationId: string }): Promise<Fetched> =>
  withHeartbeat(() => fetchAll(dependencies, generationId));
