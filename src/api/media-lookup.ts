import { createHash } from 'node:crypto';
import { mediaOf } from '../domain/capabilities';
import { SureshotError, type Violation } from '../domain/failure';
import type { GenerationRequest, MediaInput, MediaOrigin, StoredMedia } from '../domain/generation';
import { headBytes, isOfKind, kindOfSlot, mediaTypes, sniffMediaType } from '../domain/media-type';
import { findMadeMedia, inputKey } from '../stores/input-media';
import { findUpload } from '../stores/uploads';
import type { ApiDependencies } from './dependencies';
import type { NamedInput, NamedMedia } from './media-input';

/** A request as its schema leaves it: media are named, nothing was looked up, `null` is for the configuration to say. */
export type ParsedRequest = Omit<GenerationRequest, 'input' | 'model' | 'routing'> & {
  input: NamedInput;
  model: string | null;
  routing: Omit<GenerationRequest['routing'], 'strategy'> & {
    strategy: GenerationRequest['routing']['strategy'] | null;
  };
};

/** The same with the operator's defaults in it. */
export type NamedRequest = Omit<GenerationRequest, 'input'> & { input: NamedInput };

/** Bytes that came within the request and are not in the blob store yet. */
export type InlineMedia = { key: string; bytes: Uint8Array };

type Lookup = Pick<ApiDependencies, 'database' | 'blobs'>;
type Owner = { tenantId: string; generationId: string };
type Place = { pointer: string; media: NamedMedia };
type Found = { media: MediaInput } | { detail: string };

const refer = (origin: MediaOrigin, stored: StoredMedia | null): Found => ({ media: { origin, stored } });

const lookUpUpload = async ({ database }: Lookup, tenantId: string, upload: string): Promise<Found> => {
  const stored = await findUpload(database, { tenantId, id: upload });
  return stored ? refer({ upload }, stored) : { detail: 'is not the id of an upload' };
};

/** What it was called when it was stored is a provider's word: its type is read from its bytes. */
const lookUpArtifact = async (
  { database, blobs }: Lookup,
  tenantId: string,
  { generation, index }: Extract<NamedMedia, { generation: string }>,
): Promise<Found> => {
  const made = await findMadeMedia(database, { tenantId, id: generation, index });
  if (!made) return { detail: 'is not the id of a generation' };
  if (made.status !== 'succeeded') return { detail: `must have succeeded; it is ${made.status}` };
  if (!made.artifact) return { detail: `has no artifact ${index}` };
  const head = await blobs.peek(made.artifact.key, headBytes);
  if (!head) return { detail: `artifact ${index} is not kept any more` };
  const contentType = sniffMediaType(head) ?? made.artifact.contentType;
  return refer({ generation, index }, { ...made.artifact, contentType });
};

const describeBytes = (
  key: string,
  { bytes, contentType }: Extract<NamedMedia, { bytes: Uint8Array }>,
): StoredMedia => ({
  key,
  contentType,
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

const lookUp = (lookup: Lookup, owner: Owner, { pointer, media }: Place): Promise<Found> => {
  if ('url' in media) return Promise.resolve(refer(media, null));
  if ('upload' in media) return lookUpUpload(lookup, owner.tenantId, media.upload);
  if ('generation' in media) return lookUpArtifact(lookup, owner.tenantId, media);
  return Promise.resolve(refer({ inline: true }, describeBytes(inputKey(owner.generationId, pointer), media)));
};

/** The field that names it. */
const fieldOf = (media: NamedMedia): string => ('upload' in media ? 'upload' : 'generation');

const complaintAbout = ({ pointer, media }: Place, looked: Found): Violation[] => {
  const place = `/input/${pointer}/${fieldOf(media)}`;
  if ('detail' in looked) return [{ pointer: place, detail: looked.detail }];
  const { stored } = looked.media;
  const kind = kindOfSlot(pointer);
  if (stored === null || isOfKind(stored.contentType, kind)) return [];
  return [{ pointer: place, detail: `is ${stored.contentType}; accepted are ${mediaTypes[kind].join(', ')}` }];
};

const replaceMedia = (input: NamedInput, at: ReadonlyMap<NamedMedia, MediaInput>): GenerationRequest['input'] => {
  const swap = (media: NamedMedia): MediaInput => at.get(media) as MediaInput;
  return {
    ...input,
    image: input.image && swap(input.image),
    lastFrame: input.lastFrame && swap(input.lastFrame),
    referenceImages: input.referenceImages.map(swap),
    video: input.video && swap(input.video),
  };
};

/**
 * Looks up what the media of a request name: uploads and artifacts of this tenant. Throws what there is not, with its
 * pointer. Writes nothing: `inline` is to be stored under its keys before the request is accepted.
 */
export const lookUpMedia = async (
  lookup: Lookup,
  owner: Owner,
  named: NamedRequest,
): Promise<{ request: GenerationRequest; inline: InlineMedia[] }> => {
  const places = mediaOf<NamedMedia>(named.input);
  const looked = await Promise.all(places.map(async (place) => ({ place, found: await lookUp(lookup, owner, place) })));
  const violations = looked.flatMap((one) => complaintAbout(one.place, one.found));
  if (violations.length > 0)
    throw new SureshotError('caller_invalid_request', 'the request names media that cannot be used', { violations });
  const referred = new Map(
    looked.flatMap(({ place, found }) => ('media' in found ? [[place.media, found.media] as const] : [])),
  );
  const inline = places.flatMap(({ pointer, media }) =>
    'bytes' in media ? [{ key: inputKey(owner.generationId, pointer), bytes: media.bytes }] : [],
  );
  return { request: { ...named, input: replaceMedia(named.input, referred) }, inline };
};
