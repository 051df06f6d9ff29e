import { adaptInput } from '../domain/adapted-input';
import { mediaOf } from '../domain/capabilities';
import type { GenerationInput, MediaInput } from '../domain/generation';
import type { Model } from '../domain/model';
import { ProviderError, type Media, type ReadyInput } from '../providers/provider';
import type { Dependencies } from './dependencies';

type Place = { pointer: string; media: MediaInput };

const load = async ({ blobs }: Dependencies, { pointer, media: { stored } }: Place): Promise<Media> => {
  const found = stored && (await blobs.load(stored.key));
  if (found && found.sha256 === stored.sha256) return { bytes: found.content, contentType: stored.contentType };
  const what = stored === null ? 'were never fetched' : 'are missing or damaged where they were stored';
  throw new ProviderError('system_internal', `the bytes of input.${pointer.replace('/', '.')} ${what}`, {
    accepted: 'no',
    scope: 'request',
  });
};

/** The input as it is sent to this model, with the bytes of its media. Throws where they are not what was stored. */
export const readReadyInput = async (
  dependencies: Dependencies,
  model: Model,
  input: GenerationInput,
): Promise<ReadyInput> => {
  const adapted = adaptInput(model, input);
  const loaded = new Map<MediaInput, Media>();
  for (const place of mediaOf(adapted)) loaded.set(place.media, await load(dependencies, place));
  const bytesOf = (media: MediaInput | null): Media | null => (media === null ? null : (loaded.get(media) ?? null));
  return {
    ...adapted,
    image: bytesOf(adapted.image),
    lastFrame: bytesOf(adapted.lastFrame),
    referenceImages: adapted.referenceImages.flatMap((media) => bytesOf(media) ?? []),
    video: bytesOf(adapted.video),
  };
};
