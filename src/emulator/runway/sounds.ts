import { z } from 'zod';
import { promptText, seed } from './inputs';
import { define, type RunwayModels, type RunwayPlan } from './plan';

const presets = [
  ['Maya', 'Arjun', 'Serene', 'Bernard', 'Billy', 'Mark', 'Clint', 'Mabel', 'Chad', 'Leslie', 'Eleanor', 'Elias'],
  ['Elliot', 'Grungle', 'Brodie', 'Sandra', 'Kirk', 'Kylie', 'Lara', 'Lisa', 'Malachi', 'Marlene', 'Martin', 'Miriam'],
  ['Monster', 'Paula', 'Pip', 'Rusty', 'Ragnar', 'Xylar', 'Maggie', 'Jack', 'Katie', 'Noah', 'James', 'Rina', 'Ella'],
  ['Mariah', 'Frank', 'Claudia', 'Niki', 'Vincent', 'Kendrick', 'Myrna', 'Tom', 'Wanda', 'Benjamin', 'Kiana', 'Rachel'],
].flat();

const voice = z.strictObject({ type: z.literal('runway-preset'), presetId: z.enum(presets) });
const share = z.number().min(0).max(1).optional();

const multilingual = z.strictObject({ model: z.literal('eleven_multilingual_v2'), promptText, voice });

/** The types name no longest text for this one; ElevenLabs' own limit of the model is taken. */
const elevenV3 = z.strictObject({
  model: z.literal('eleven_v3'),
  promptText: z.string().min(1).max(5_000),
  voice,
  applyTextNormalization: z.enum(['auto', 'on', 'off']).optional(),
  languageCode: z.string().optional(),
  seed,
  similarityBoost: share,
  speed: z.number().min(0.7).max(1.2).optional(),
  stability: share,
  style: share,
  useSpeakerBoost: z.boolean().optional(),
});

/** The longest text is from an older API reference; the types are silent. */
const textToSound = z.strictObject({
  model: z.literal('eleven_text_to_sound_v2'),
  promptText: z.string().min(1).max(3_000),
  duration: z.number().min(0.5).max(30).optional(),
  loop: z.boolean().optional(),
});

const speechLatencyMs = 5_000;

const charactersPerCredit = 50;

const planSpeech = ({ promptText: text }: { promptText: string }): RunwayPlan => ({
  medium: 'speech',
  prompt: text,
  credits: Math.ceil(text.length / charactersPerCredit),
  outputs: [{ contentType: 'audio/mpeg', seconds: text.length / 15 }],
  latencyMs: speechLatencyMs,
});

/** Documented as "1-2 credits": two without a duration, and for the longer half of the durations. */
const planSound = (body: { promptText: string; duration?: number | undefined }): RunwayPlan => ({
  medium: 'speech',
  prompt: body.promptText,
  credits: body.duration !== undefined && body.duration <= 15 ? 1 : 2,
  outputs: [{ contentType: 'audio/mpeg', seconds: body.duration ?? 5 }],
  latencyMs: speechLatencyMs,
});

export const textToSpeech: RunwayModels = {
  eleven_multilingual_v2: define(multilingual, planSpeech),
  eleven_v3: define(elevenV3, planSpeech),
};

export const soundEffect: RunwayModels = { eleven_text_to_sound_v2: define(textToSound, planSound) };
