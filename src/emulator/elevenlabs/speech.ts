import { z } from 'zod';
import { bytesAnswer, jsonAnswer, type Answer } from '../answer';
import { renderOutput } from '../media';
import type { Operation } from '../operations';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { allFormats, defaultFormat, shapeOf, streamFormats } from './formats';
import { defaultModel, speechModels, type SpeechModel } from './models';
import { detail, invalidInput, modelFailed, withheld } from './problems';
import { findVoice } from './voices';

const share = z.number().min(0).max(1).nullish();
const neighbours = z.array(z.string()).max(3).nullish();

/** Unknown fields are ignored. */
const bodySchema = z.object({
  text: z.string(),
  model_id: z.string().default(defaultModel),
  language_code: z.string().nullish(),
  seed: z.int().min(0).max(4_294_967_295).nullish(),
  previous_text: z.string().nullish(),
  next_text: z.string().nullish(),
  previous_request_ids: neighbours,
  next_request_ids: neighbours,
  apply_text_normalization: z.enum(['auto', 'on', 'off']).nullish(),
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

const isStream = ({ path }: Call): boolean => path.includes('/stream');

const checkQuery = (call: Call, format: string): Answer | undefined => {
  const formats = isStream(call) ? streamFormats : allFormats;
  if (!formats.includes(format)) {
    return detail(400, 'invalid_output_format', `The output format ${format} is not supported.`);
  }
  const latency = call.query.get('optimize_streaming_latency');
  return latency === null || /^[0-4]$/.test(latency)
    ? undefined
    : jsonAnswer(422, {
        detail: [
          {
            loc: ['query', 'optimize_streaming_latency'],
            msg: 'Input should be between 0 and 4',
            type: 'value_error',
          },
        ],
      });
};

const checkText = (call: Call, text: string, { maxCharacters }: SpeechModel): Answer | undefined => {
  const voice = call.params['voice'] ?? '';
  if (findVoice(voice) === undefined) {
    return detail(404, 'voice_not_found', `A voice with the voice_id ${voice} was not found.`);
  }
  if (text.trim() === '') return detail(400, 'input_text_empty', 'The text must not be empty.');
  if (text.length <= maxCharacters) return undefined;
  const message = `This request's text has ${text.length} characters and exceeds the character limit of ${maxCharacters} characters for this model.`;
  return detail(400, 'max_character_limit_exceeded', message);
};

/** History items have ids of their own. */
export const historyIdOf = (requestId: string): string => `hist${requestId.replaceAll('-', '').slice(0, 16)}`;

const splitParts = (bytes: Buffer): Buffer[] => {
  const sizeBytes = Math.ceil(bytes.length / 8);
  return Array.from({ length: 8 }, (_, index) => bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes));
};

/** Each character takes the same part of the time. */
const alignmentOf = ({ prompt, outputs }: Operation): Record<string, unknown> => {
  const characters = [...prompt];
  const each = (outputs[0]?.seconds ?? 0) / Math.max(1, characters.length);
  const at = (index: number): number => Number((index * each).toFixed(3));
  return {
    characters,
    character_start_times_seconds: characters.map((_, index) => at(index)),
    character_end_times_seconds: characters.map((_, index) => at(index + 1)),
  };
};

const withTimestamps = (operation: Operation, bytes: Buffer, headers: Record<string, string>): Answer => {
  const alignment = alignmentOf(operation);
  const body = { audio_base64: bytes.toString('base64'), alignment, normalized_alignment: alignment };
  return jsonAnswer(200, body, headers);
};

const deliverSpeech = (call: Call, operation: Operation): Answer => {
  const bytes = renderOutput(operation, 0);
  const headers = {
    'request-id': operation.id,
    'history-item-id': historyIdOf(operation.id),
    'character-cost': String(operation.prompt.length),
  };
  if (call.path.endsWith('/with-timestamps')) return withTimestamps(operation, bytes, headers);
  const answer = bytesAnswer(bytes, { 'content-type': operation.outputs[0]?.contentType ?? '', ...headers });
  return isStream(call) ? { ...answer, parts: splitParts(bytes), paceMs: 2 } : answer;
};

const charactersPerSecond = 15;

const speakAs = async (call: Call, body: Body, model: SpeechModel): Promise<Answer> => {
  const format = call.query.get('output_format') ?? defaultFormat;
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
    outputs: [shapeOf(format, characters / charactersPerSecond / (body.voice_settings?.speed ?? 1))],
    details: {
      voice: call.params['voice'],
      format,
      isLogged: call.query.get('enable_logging') !== 'false',
      settings: body.voice_settings ?? null,
      credits: characters * model.creditsPerCharacter,
    },
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? withheld : modelFailed;
  return deliverSpeech(call, operation);
};

export const speak = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const body = parsed.data;
  const model = speechModels[body.model_id];
  if (model === undefined) {
    return detail(400, 'model_not_found', `A model with model ID ${body.model_id} does not exist.`);
  }
  if (typeof body.language_code === 'string' && body.model_id === defaultModel) {
    call.notes.push('language_code is not supported by this model and ignored');
  }
  const format = call.query.get('output_format') ?? defaultFormat;
  return checkQuery(call, format) ?? checkText(call, body.text, model) ?? speakAs(call, body, model);
};
