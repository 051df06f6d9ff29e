import { z } from 'zod';
import { bytesAnswer, type Answer } from '../answer';
import { renderOutput } from '../media';
import type { Call } from '../provider';
import { complete, fateOf } from '../submit';
import { defaultFormat, shapeOf, streamFormats } from './formats';
import { detail, invalidInput, modelFailed, withheld } from './problems';

export const soundModel = 'eleven_text_to_sound_v2';

const bodySchema = z.object({
  text: z.string(),
  loop: z.boolean().nullish(),
  duration_seconds: z.number().min(0.5).max(30).nullish(),
  prompt_influence: z.number().min(0).max(1).nullish(),
  model_id: z.string().default(soundModel),
});

type Body = z.infer<typeof bodySchema>;

/** A flat price for every sound, by a third party's reading of ElevenLabs' list in June 2026. */
const soundUsd = 0.12;
const guessedSeconds = 5;

/** Credits from memory: 40 a second, or 200 where the model chooses the length. */
const creditsOf = ({ duration_seconds: seconds }: Body): number =>
  typeof seconds === 'number' ? Math.ceil(seconds * 40) : 200;

const make = async (call: Call, body: Body, format: string): Promise<Answer> => {
  const fate = fateOf(call, body.text);
  if (fate.reason === 'content') return withheld;
  const credits = creditsOf(body);
  const shape = shapeOf(format, body.duration_seconds ?? guessedSeconds);
  const operation = await complete(call, {
    ...fate,
    model: body.model_id,
    medium: 'speech',
    prompt: body.text,
    priceUsd: soundUsd,
    durationMs: 3_000,
    outputs: [shape],
    // Sounds are not in the history of speech: there is no door to a lost one.
    details: { format, isLogged: false, credits },
  });
  if (operation.ending === 'failed') return operation.reason === 'filtered' ? withheld : modelFailed;
  return bytesAnswer(renderOutput(operation, 0), {
    'content-type': shape.contentType,
    'request-id': operation.id,
    'character-cost': String(credits),
  });
};

export const makeSound = (call: Call): Answer | Promise<Answer> => {
  const parsed = bodySchema.safeParse(call.body);
  if (!parsed.success) return invalidInput(parsed.error);
  const body = parsed.data;
  if (body.model_id !== soundModel) {
    return detail(400, 'model_not_found', `A model with model ID ${body.model_id} does not exist.`);
  }
  if (body.text.trim() === '') return detail(400, 'input_text_empty', 'The text must not be empty.');
  const format = call.query.get('output_format') ?? defaultFormat;
  return streamFormats.includes(format)
    ? make(call, body, format)
    : detail(400, 'invalid_output_format', `The output format ${format} is not supported.`);
};
