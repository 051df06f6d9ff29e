import type { ElevenLabs } from '@elevenlabs/elevenlabs-js';
import { z } from 'zod';
import { noUsage, type GenerationInput, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Operation, Outcome, ReadyInput } from '../provider';
import { badResponse, readJson, refuseByStatus, type Refusal } from '../refusal';
import { withoutNulls } from '../request-values';
import type { Answer, Purpose } from '../transport';

/** Rachel, the voice of ElevenLabs' own examples. */
const defaultVoice = '21m00Tcm4TlvDq8ikWAM';
const defaultFormat = 'mp3_44100_128';

export const voiceOf = ({ voice }: GenerationInput<unknown>): string => voice ?? defaultVoice;
export const formatOf = ({ format }: GenerationInput<unknown>): string => format ?? defaultFormat;

export type Submission =
  | { kind: 'speech'; voice: string; body: ElevenLabs.BodyTextToSpeechFull }
  | { kind: 'sound'; body: ElevenLabs.CreateSoundEffectRequest };

/** Only what was set: every other setting stays the voice's own. */
const toSettings = ({ voiceSettings }: ReadyInput): ElevenLabs.VoiceSettings | null => {
  const settings = voiceSettings === null ? {} : withoutNulls(voiceSettings);
  return Object.keys(settings).length === 0 ? null : settings;
};

const toSound = (model: Model, input: ReadyInput): Submission => ({
  kind: 'sound',
  body: withoutNulls({
    text: input.prompt ?? '',
    modelId: model.providerModel as ElevenLabs.SfxModelId,
    outputFormat: formatOf(input) as ElevenLabs.AllowedOutputFormats,
    durationSeconds: input.durationSeconds,
  }),
});

export const toSubmission = (model: Model, input: ReadyInput): Submission => {
  if (model.api === 'sound_generation') return toSound(model, input);
  const body = withoutNulls({
    text: input.prompt ?? '',
    modelId: model.providerModel,
    outputFormat: formatOf(input) as ElevenLabs.TextToSpeechConvertRequestOutputFormat,
    voiceSettings: toSettings(input),
    seed: input.seed,
  });
  return { kind: 'speech', voice: voiceOf(input), body };
};

const contentTypes: Record<string, string> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  pcm: 'audio/pcm',
  ulaw: 'audio/basic',
  alaw: 'audio/x-alaw-basic',
  wav: 'audio/wav',
};

const codecOf = (format: string): string => format.split('_')[0] ?? '';

/** How a file of the format starts; raw samples start with anything. */
const beginnings: Record<string, RegExp> = { mp3: /^(ID3|\xff[\xe0-\xff])/, opus: /^OggS/, wav: /^RIFF/ };

const begins = (bytes: Uint8Array, format: string): boolean =>
  (beginnings[codecOf(format)] ?? /^./s).test(Buffer.from(bytes.subarray(0, 4)).toString('latin1'));

export type Spoken = { bytes: Uint8Array; contentType: string | null; characterCost: string | null };

/**
 * The header counts credits. A fast model costs half a one a character, which its price knows already; a dear voice
 * costs more than one, which only the header tells.
 */
const countCharacters = (credits: number | null, characters: number): number =>
  credits !== null && Number.isFinite(credits) ? Math.max(credits, characters) : characters;

const count = ({ characterCost }: Spoken, { api }: Model, input: ReadyInput): Partial<Usage> => {
  if (api === 'sound_generation') return { seconds: input.durationSeconds };
  const credits = characterCost === null ? null : Number(characterCost);
  return { characters: countCharacters(credits, (input.prompt ?? '').length) };
};

const toSpeech = (spoken: Spoken, format: string, usage: Partial<Usage>): Outcome => {
  if (!/^(audio\/|application\/octet-stream)/.test(spoken.contentType ?? '')) throw badResponse('not audio');
  if (!begins(spoken.bytes, format)) throw badResponse('not the audio format asked for');
  const contentType = contentTypes[codecOf(format)] ?? 'application/octet-stream';
  return {
    state: 'succeeded',
    outputs: [{ kind: 'bytes', bytes: spoken.bytes, contentType }],
    usage: { ...noUsage, ...usage },
    warnings: [],
  };
};

/** @see https://elevenlabs.io/docs/api-reference/text-to-speech/convert, the header of its request-stitching page (2026-11-21) */
export const toOutcome = (spoken: Spoken, model: Model, input: ReadyInput): Outcome =>
  toSpeech(spoken, formatOf(input), count(spoken, model, input));

const keptSchema = z.object({
  format: z.string().catch(defaultFormat),
  characters: z.number().nullable().catch(null),
  credits: z.number().nullable().catch(null),
});

/** What the history kept, in the format it was made in. */
export const toKeptOutcome = (spoken: Spoken, operation: Operation): Outcome => {
  const { format, characters, credits } = keptSchema.parse(operation);
  return toSpeech(spoken, format, { characters: characters === null ? credits : countCharacters(credits, characters) });
};

/** @see https://elevenlabs.io/docs/api-reference/models/list (2026-11-21) */
const modelsSchema = z.array(z.object({ modelId: z.string().min(1) }));

export const checkModels = (body: unknown): void => {
  if (!modelsSchema.safeParse(body).success) throw badResponse('not a list of models');
};

/** Their own errors, or FastAPI's list of wrong fields. @see https://elevenlabs.io/docs/resources/error-messages (2026-11-21) */
const errorSchema = z.object({
  detail: z.union([
    z.object({ status: z.string().nullish(), code: z.string().nullish(), message: z.string().nullish() }),
    z.array(z.object({ msg: z.string().nullish() })),
    z.string(),
  ]),
});

const readError = (text: string): { status: string; message: string | null } => {
  const detail = errorSchema.safeParse(readJson(text)).data?.detail;
  if (detail === undefined) return { status: '', message: null };
  if (typeof detail === 'string') return { status: '', message: detail };
  if (Array.isArray(detail)) return { status: '', message: detail.map((item) => item.msg ?? '').join('; ') };
  return { status: detail.status ?? detail.code ?? '', message: detail.message ?? detail.status ?? null };
};

const invalid = { code: 'caller_invalid_request', scope: 'request' } as const;
const contentRejected = { code: 'provider_content_rejected', scope: 'request' } as const;

/** Statuses of HTTP mislead here: a used-up quota is a 401, an unknown voice a 400 or 404. */
const verdicts: Record<string, Pick<Refusal, 'code' | 'scope'>> = {
  quota_exceeded: { code: 'provider_insufficient_funds', scope: 'credential' },
  voice_not_found: invalid,
  max_character_limit_exceeded: invalid,
  text_too_long: invalid,
  model_not_found: { code: 'provider_model_not_found', scope: 'model' },
  system_busy: { code: 'provider_overloaded', scope: 'provider' },
  content_against_policy: contentRejected,
  content_policy_violation: contentRejected,
};

export const readRefusal = (answer: Answer, purpose: Purpose): Refusal => {
  const { status, message } = readError(answer.text);
  return { ...refuseByStatus(answer, purpose, { message }), ...verdicts[status] };
};
