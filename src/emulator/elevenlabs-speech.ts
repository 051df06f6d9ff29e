import { z } from 'zod';
import { bytesAnswer, jsonAnswer, type Answer } from './answer';
import { detail, modelFailed, withheld } from './elevenlabs-problems';
import { findVoice } from './elevenlabs-voices';
import { renderOutput } from './media';
import type { OutputShape } from './operations';
import type { Call } from './provider';
import { complete, fateOf } from './submit';

type SpeechModel = {
  maxCharacters: number;
  thousandCharactersUsd: number;
};

export const defaultModel = 'eleven_multilingual_v2';

const models: Record<string, SpeechModel> = {
  eleven_multilingual_v2: { maxCharacters: 10_000, thousandCharactersUsd: 0.08 },
  eleven_v3: { maxCharacters: 5_000, thousandCharactersUsd: 0.08 },
  eleven_flash_v2_5: { maxCharacters: 40_000, thousandCharactersUsd: 0.04 },
  eleven_turbo_v2_5: { maxCharacters: 40_000, thousandCharactersUsd: 0.04 },
};

const share = z.number().min(0).max(1).nullish();

/** Unknown fields are ignored. */
const bodySchema = z.object({
  text: z.string(),
  model_id: z.string().default(defaultModel),
  language_code: z.string().nullish(),
  seed: z.int().min(0).max(4_294_967_295).nullish(),
  voice_settings: z
    .object({
      stability: share,
      similarity_boost: share,
      style: share,
      use_speaker_boost: z.boolean().nullish(),
      speed: z.number().min(0.7).max(1.2).nullish(),
    })
    .nullish(),
});

type Body = z.infer<typeof bodySchema>;

const invalidInput = (error: z.ZodError): Answer =>
  jsonAnswer(422, {
    detail: error.issues.map(({ path, message, code }) => ({
      loc: ['body', ...path.map(String)],
      msg: code === 'invalid_type' && message.includes('undefined') ? 'Field required' : message,
      type: code === 'invalid_type' && message.includes('undefined') ? 'missing' : 'value_error',
    })),
  });

const contentTypes: Record<string, string> = { mp3: 'audio/mpeg', wav: 'audio/wav', pcm: 'audio/pcm' };

/** `mp3_44100_128`, `pcm_16000`, `wav_44100`; Opus and telephony formats are not emulated. */
const readFormat = (format: string, text: string): OutputShape | undefined => {
  const match = /^(mp3|pcm|wav)_(8000|16000|22050|24000|32000|44100|48000)(?:_\d+)?$/.exec(format);
  const contentType = contentTypes[match?.[1] ?? ''];
  return contentType === undefined
    ? undefined
    : { contentType, sampleRate: Number(match?.[2]), seconds: text.length / 15 };
};

const check = (call: Call, body: Body): Answer | SpeechModel => {
  const model = models[body.model_id];
  if (model === undefined)
    return detail(400, 'model_not_found', `A model with model ID ${body.model_id} does not exist.`);
  if (findVoice(call.params['voice'] ?? '') === undefined) {
    return detail(404, 'voice_not_found', `A voice with the voice_id ${call.params['voice'] ?? ''} was not found.`);
  }
  if (body.text.trim() === '') return detail(400, 'input_text_empty', 'The text must not be empty.');
  if (body.text.length <= model.maxCharacters) return model;
  const message = `This request's text has ${body.text.length} characters and exceeds the character limit of ${model.maxCharacters} characters for this model.`;
  return detail(400, 'max_character_limit_exceeded', message);
};

const splitParts = (bytes: Buffer): Buffer[] => {
  const sizeBytes = Math.ceil(bytes.length / 8);
  return Array.from({ length: 8 }, (_, index) => bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes));
};

const audioOf = async (call: Call, body: Body, model: SpeechModel): Promise<Answer> => {
  const format = call.query.get('output_format') ?? 'mp3_44100_128';
  const shape = readFormat(format, body.text);
  if (shape === undefined) return detail(400, 'invalid_output_format', `The output format ${format} is not supported.`);
  const fate = fateOf(call, body.text);
  if (fate.reason === 'content') return withheld;
  const characters = body.text.length;
  const operation = await complete(call, {
    ...fate,
    model: body.model_id,
    medium: 'speech',
    prompt: body.text,
    priceUsd: (characters * model.thousandCharactersUsd) / 1000,
    durationMs: 1_500,
    outputs: [shape],
    details: {
      voice: call.params['voice'],
      format,
      isLogged: call.query.get('enable_logging') !== 'false',
      settings: body.voice_settings ?? null,
    },
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? withheld : modelFailed;
  const bytes = renderOutput(operation, 0);
  const headers = {
    'content-type': shape.contentType,
    'request-id': operation.id,
    'history-item-id': historyIdOf(operation.id),
    'character-cost': String(characters),
  };
  const answer = bytesAnswer(bytes, headers);
  return call.path.endsWith('/stream') ? { ...answer, parts: splitParts(bytes), paceMs: 2 } : answer;
};

/** History items have ids of their own. */
export const historyIdOf = (requestId: string): string => `hist${requestId.replaceAll('-', '').slice(0, 16)}`;

export const speak = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const model = check(call, parsed.data);
  return 'status' in model ? model : audioOf(call, parsed.data, model);
};
