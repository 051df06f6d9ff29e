import { z } from 'zod';
import { bytesAnswer, type Answer } from '../answer';
import { renderOutput } from '../media';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { speechModels } from './models';
import { invalid, invalidInput, modelFailed, modelNotFound, problem } from './problems';

const bodySchema = z.strictObject({
  model: z.string(),
  input: z.string().min(1),
  voice: z.string(),
  response_format: z.enum(['flac', 'mp3', 'mulaw', 'ogg', 'wav']).default('wav'),
  sample_rate: z.literal([8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]).default(24_000),
  speed: z.number().min(0.5).max(5).default(1),
});

const maxCharacters = 200;

// No filter is documented for speech; a text that is withheld has to look like something.
const withheld = problem(400, { message: 'The input was flagged.', code: 'content_policy_violation' });

export const speak = async (call: Call): Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error, call.body);
  const body = parsed.data;
  const model = speechModels[body.model];
  if (model === undefined) return modelNotFound(body.model);
  if (!model.voices.includes(body.voice))
    return invalid(`\`voice\` must be one of the following voices: [${model.voices.join(' ')}]`);
  if (body.response_format !== 'wav') return invalid('`response_format` must be one of [wav]');
  if (body.input.length > maxCharacters)
    return invalid(`'input' : maximum length is ${maxCharacters} characters, got ${body.input.length}`);
  const fate = fateOf(call, body.input);
  if (fate.reason === 'content') return withheld;
  const operation = await complete(call, {
    ...fate,
    model: body.model,
    medium: 'speech',
    prompt: body.input,
    priceUsd: (body.input.length * model.millionCharactersUsd) / 1e6,
    durationMs: 800,
    outputs: [{ contentType: 'audio/wav', sampleRate: body.sample_rate, seconds: body.input.length / 15 / body.speed }],
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? withheld : modelFailed;
  return bytesAnswer(renderOutput(operation, 0), { 'content-type': 'audio/wav' });
};
