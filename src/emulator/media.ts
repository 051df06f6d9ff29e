import { createAac, createMp3, createPcm, createWav } from './audio';
import { createFlac } from './flac';
import { encodeJpeg } from './jpeg';
import { createOggOpus } from './ogg';
import { hashOf, type Operation, type OutputShape } from './operations';
import { createPicture } from './picture';
import { encodePng, type Size } from './png';
import { createAlaw, createUlaw } from './telephony';
import { createMp4 } from './video';
import { encodeWebp } from './webp';

const sizeOf = (shape: OutputShape): Size => ({ width: shape.width ?? 1024, height: shape.height ?? 1024 });

const soundOf = (seed: string, shape: OutputShape): { seed: string; seconds: number; sampleRate: number } => ({
  seed,
  seconds: shape.seconds ?? 2,
  sampleRate: shape.sampleRate ?? 44_100,
});

const encoders: Record<string, (seed: string, shape: OutputShape) => Buffer> = {
  'image/png': (seed, shape) => encodePng(createPicture(seed, shape.black), sizeOf(shape)),
  'image/jpeg': (seed, shape) => encodeJpeg(createPicture(seed, shape.black), sizeOf(shape)),
  'image/webp': (seed, shape) => encodeWebp(createPicture(seed, shape.black), sizeOf(shape)),
  'video/mp4': (seed, shape) => createMp4(seed, { width: shape.width ?? 1280, height: shape.height ?? 720 }),
  'audio/mpeg': (seed, shape) => createMp3(soundOf(seed, shape)),
  'audio/wav': (seed, shape) => createWav(soundOf(seed, shape)),
  'audio/pcm': (seed, shape) => createPcm(soundOf(seed, shape)),
  'audio/aac': (seed, shape) => createAac(soundOf(seed, shape)),
  'audio/flac': (seed, shape) => createFlac(soundOf(seed, shape)),
  'audio/opus': (seed, shape) => createOggOpus(soundOf(seed, shape)),
  'audio/ogg': (seed, shape) => createOggOpus(soundOf(seed, shape)),
  'audio/basic': (seed, shape) => createUlaw(soundOf(seed, shape)),
  'audio/x-alaw-basic': (seed, shape) => createAlaw(soundOf(seed, shape)),
};

const extensions: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'video/mp4': 'mp4',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/pcm': 'pcm',
  'audio/aac': 'aac',
  'audio/flac': 'flac',
  'audio/opus': 'opus',
  'audio/ogg': 'ogg',
  'audio/basic': 'ulaw',
  'audio/x-alaw-basic': 'alaw',
};

export const extensionOf = (contentType: string): string => extensions[contentType] ?? 'bin';

/** The same bytes whenever asked, also after a restart; other bytes for every other operation and index. */
export const renderOutput = (operation: Operation, index: number): Buffer => {
  const shape = operation.outputs[index];
  const encode = encoders[shape?.contentType ?? ''];
  if (shape === undefined || encode === undefined) throw new RangeError(`no output ${index} of ${operation.id}`);
  const seed = hashOf(`${operation.provider}/${operation.id}/${index}/${operation.promptHash}`);
  return encode(seed, shape);
};
