import { createHash, randomBytes } from 'node:crypto';
import type { Answer } from '../answer';
import { serveOutput } from '../artifacts';
import { renderOutput } from '../media';
import { endsAtMs, stateOf, type Operation } from '../operations';
import type { Call, Describe } from '../provider';
import { findOwn } from '../submit';
import { findOperation } from '../world';
import { problem, reply, words } from './problems';

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Twelve characters, as operations and files have them; a file's id is its operation's with the index behind it. */
export const createId = (): string =>
  [...randomBytes(12)].map((byte) => alphabet[byte % alphabet.length] ?? 'a').join('');

/** Interaction ids are opaque to clients: a version, and a message in base64. */
export const interactionIdOf = (id: string): string =>
  `v1_${Buffer.from(`\n\u000c${id}\u0010\u0001`, 'latin1').toString('base64url')}`;

export const fileUri = ({ origin }: Pick<Call, 'origin'>, id: string, index: number): string =>
  `${origin}/google/v1beta/files/${id}${index}:download?alt=media`;

const keptMs = 48 * 60 * 60 * 1000;

type StoredFile = { operation: Operation; index: number; expiresAtMs: number };

const splitName = (call: Call): { ids: string[]; index: number } => {
  const name = call.params['file'] ?? '';
  const id = name.slice(0, 12);
  return { ids: [id, interactionIdOf(id)], index: Number.parseInt(name.slice(12), 10) };
};

const findFile = (call: Call): StoredFile | undefined => {
  const { ids, index } = splitName(call);
  const operation = ids.map((id) => findOwn(call, id)).find((found) => found !== undefined);
  const nowMs = call.world.clock();
  if (operation === undefined || stateOf(operation, nowMs) !== 'succeeded') return undefined;
  if (operation.outputs[index] === undefined) return undefined;
  return { operation, index, expiresAtMs: (endsAtMs(operation) ?? nowMs) + keptMs };
};

export const describeFile: Describe = (call) => ({
  operation: splitName(call)
    .ids.map((id) => findOperation(call.world, call.provider, id))
    .find((found) => found !== undefined),
});

/** Not there, not yours, no longer there: all the same to the one who asks. */
const forbidden = (name: string): Answer =>
  problem(403, `You do not have permission to access the File ${name} or it may not exist.`);

const findLiving = (call: Call): StoredFile | Answer => {
  if (call.key === '' || call.key.includes('invalid')) return words.unauthorized(call.key || undefined, call);
  const file = findFile(call);
  const isGone = file === undefined || file.expiresAtMs <= call.world.clock();
  return isGone || call.fault?.kind === 'artifact_expired' ? forbidden(call.params['file'] ?? '') : file;
};

export const downloadFile = (call: Call): Answer => {
  const file = findLiving(call);
  if ('status' in file) return file;
  call.touched = file.operation;
  // Without alt=media it is an ordinary method, and its answer an empty message.
  if (call.query.get('alt') !== 'media') return reply(200, {});
  return serveOutput(call, file.operation, file.index);
};

export const showFile = (call: Call): Answer => {
  const file = findLiving(call);
  if ('status' in file) return file;
  const { operation, index, expiresAtMs } = file;
  const bytes = renderOutput(operation, index);
  const name = call.params['file'] ?? '';
  const madeAt = new Date(expiresAtMs - keptMs).toISOString();
  return reply(200, {
    name: `files/${name}`,
    mimeType: operation.outputs[index]?.contentType,
    sizeBytes: String(bytes.length),
    createTime: madeAt,
    updateTime: madeAt,
    expirationTime: new Date(expiresAtMs).toISOString(),
    sha256Hash: createHash('sha256').update(bytes).digest('base64'),
    uri: `${call.origin}/google/v1beta/files/${name}`,
    downloadUri: `${call.origin}/google/v1beta/files/${name}:download?alt=media`,
    state: 'ACTIVE',
    source: 'GENERATED',
  });
};

/** The account's own video that a uri names. */
export const findVideo = (call: Call, uri: string): Operation | undefined => {
  const name = /\/files\/([a-z0-9]{12}\d+)(?::download)?(?:\?|$)/.exec(uri)?.[1];
  return name === undefined ? undefined : findFile({ ...call, params: { file: name } })?.operation;
};
