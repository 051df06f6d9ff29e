import type OpenAI from 'openai';
import { noUsage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Outcome, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { withoutNulls } from '../request-values';

type SpeechRequest = OpenAI.Audio.SpeechCreateParams;

const defaultFormat = 'mp3';

export const toSpeechRequest = (model: Model, input: ReadyInput): SpeechRequest =>
  withoutNulls({
    model: model.providerModel,
    input: input.prompt ?? '',
    voice: input.voice ?? model.capabilities.voices?.[0] ?? 'alloy',
    response_format: (input.format ?? defaultFormat) as NonNullable<SpeechRequest['response_format']>,
    speed: input.voiceSettings?.speed ?? null,
  });

/** The type of a file of the format, and how one starts; raw samples start with anything. */
const formats: Record<string, { contentType: string; beginning: RegExp }> = {
  mp3: { contentType: 'audio/mpeg', beginning: /^(ID3|\xff[\xe0-\xff])/ },
  opus: { contentType: 'audio/ogg', beginning: /^OggS/ },
  aac: { contentType: 'audio/aac', beginning: /^\xff[\xf0-\xff]/ },
  flac: { contentType: 'audio/flac', beginning: /^fLaC/ },
  wav: { contentType: 'audio/wav', beginning: /^RIFF/ },
  pcm: { contentType: 'audio/pcm', beginning: /^[^{<]/ },
};

type Spoken = { bytes: Uint8Array; contentType: string | null };

/** @see https://platform.openai.com/docs/api-reference/audio/createSpeech (2026-11-21) */
export const toSpeechOutcome = ({ bytes, contentType }: Spoken, input: ReadyInput): Outcome => {
  const format = formats[input.format ?? defaultFormat];
  if (!/^(audio\/|application\/octet-stream)/.test(contentType ?? '')) throw badResponse('not audio');
  const beginning = Buffer.from(bytes.subarray(0, 4)).toString('latin1');
  if (format?.beginning.test(beginning) !== true) throw badResponse('not the audio format asked for');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'bytes', bytes, contentType: format.contentType }],
    usage: { ...noUsage, characters: (input.prompt ?? '').length },
    warnings: [],
  };
};
