import { z } from 'zod';
import { bytesAnswer, type Answer } from '../answer';
import { dataEvent, eventStream } from '../event-stream';
import { renderOutput } from '../media';
import { countTokens } from '../prose';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { invalidInput, invalidValue, modelFailed, modelNotFound, problem } from './problems';

const voices = ['alloy', 'ash', 'coral', 'echo', 'fable', 'onyx', 'nova', 'sage', 'shimmer'] as const;
const newerVoices = ['ballad', 'verse', 'marin', 'cedar'] as const;

const bodySchema = z.strictObject({
  model: z.string(),
  input: z.string().min(1).max(4_096),
  voice: z.union([z.enum([...voices, ...newerVoices]), z.strictObject({ id: z.string() })]),
  instructions: z.string().max(4_096).optional(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).default('mp3'),
  speed: z.number().min(0.25).max(4).default(1),
  stream_format: z.enum(['sse', 'audio']).default('audio'),
});

type Body = z.infer<typeof bodySchema>;

type SpeechModel = {
  isOld: boolean;
  priceOf: (text: string, seconds: number) => number;
};

const tokenSpeech: SpeechModel = {
  isOld: false,
  priceOf: (text, seconds) => (countTokens(text) * 0.6) / 1e6 + (seconds / 60) * 0.015,
};

/** USD: by the million characters, or by tokens in and minutes out. From memory of OpenAI's price list. */
export const speechModels: Record<string, SpeechModel> = {
  'tts-1': { isOld: true, priceOf: (text) => (text.length * 15) / 1e6 },
  'tts-1-hd': { isOld: true, priceOf: (text) => (text.length * 30) / 1e6 },
  'gpt-4o-mini-tts': tokenSpeech,
  'gpt-4o-mini-tts-2025-12-15': tokenSpeech,
};

const contentTypes = {
  mp3: 'audio/mpeg',
  opus: 'audio/opus',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
} as const;

const checkModel = ({ voice, stream_format }: Body, { isOld }: SpeechModel): Answer | undefined => {
  if (typeof voice === 'object') return problem(404, { message: `Voice '${voice.id}' not found.`, param: 'voice' });
  if (isOld && newerVoices.some((name) => name === voice)) {
    return invalidValue('voice', `'${voice}'. Supported values are: ${voices.join(', ')}.`);
  }
  return isOld && stream_format === 'sse'
    ? invalidValue('stream_format', "'sse' is not supported with this model.")
    : undefined;
};

const withheld = problem(400, {
  message: 'Your request was rejected as a result of our safety system.',
  code: 'content_policy_violation',
});

const streamOf = (bytes: Buffer, text: string, seconds: number): Answer => {
  const sizeBytes = Math.ceil(bytes.length / 8);
  const pieces = Array.from({ length: 8 }, (_, index) => bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes));
  const [input_tokens, output_tokens] = [countTokens(text), Math.ceil(seconds * 20)];
  const usage = { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens };
  return eventStream([
    ...pieces.map((piece) => dataEvent({ type: 'speech.audio.delta', audio: piece.toString('base64') })),
    dataEvent({ type: 'speech.audio.done', usage }),
  ]);
};

const speak = async (call: Call, body: Body, model: SpeechModel): Promise<Answer> => {
  const fate = fateOf(call, body.input);
  if (fate.reason === 'content') return withheld;
  const contentType = contentTypes[body.response_format];
  const seconds = body.input.length / 15 / body.speed;
  const operation = await complete(call, {
    ...fate,
    model: body.model,
    medium: 'speech',
    prompt: body.input,
    priceUsd: model.priceOf(body.input, seconds),
    durationMs: 1_500,
    outputs: [{ contentType, seconds, sampleRate: 24_000 }],
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? withheld : modelFailed;
  const bytes = renderOutput(operation, 0);
  return body.stream_format === 'sse'
    ? streamOf(bytes, body.input, seconds)
    : bytesAnswer(bytes, { 'content-type': contentType });
};

export const createSpeech = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const model = speechModels[parsed.data.model];
  if (model === undefined) return modelNotFound(parsed.data.model);
  return checkModel(parsed.data, model) ?? speak(call, parsed.data, model);
};
