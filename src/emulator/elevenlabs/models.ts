import { jsonAnswer, type Answer } from '../answer';

export type SpeechModel = {
  name: string;
  maxCharacters: number;
  thousandCharactersUsd: number;
  /** Credits a character, in halves of the dear ones' for the fast models. */
  creditsPerCharacter: number;
  canUseStyle: boolean;
};

export const defaultModel = 'eleven_multilingual_v2';

const full = { thousandCharactersUsd: 0.08, creditsPerCharacter: 1, canUseStyle: true } as const;
const fast = { thousandCharactersUsd: 0.04, creditsPerCharacter: 0.5, canUseStyle: false } as const;

/** @see https://elevenlabs.io/docs/overview/models and litellm 1.109.1, read 2026-11-21 */
export const speechModels: Record<string, SpeechModel> = {
  eleven_multilingual_v2: { ...full, name: 'Eleven Multilingual v2', maxCharacters: 10_000 },
  eleven_v3: { ...full, name: 'Eleven v3', maxCharacters: 5_000 },
  eleven_v4: { ...full, name: 'Eleven v4', maxCharacters: 10_000 },
  eleven_flash_v2_5: { ...fast, name: 'Eleven Flash v2.5', maxCharacters: 40_000 },
  eleven_turbo_v2_5: { ...fast, name: 'Eleven Turbo v2.5', maxCharacters: 40_000 },
};

const languages = [
  { language_id: 'en', name: 'English' },
  { language_id: 'de', name: 'German' },
  { language_id: 'es', name: 'Spanish' },
  { language_id: 'fr', name: 'French' },
  { language_id: 'ja', name: 'Japanese' },
];

export const listModels = (): Answer =>
  jsonAnswer(
    200,
    Object.entries(speechModels).map(([model_id, model]) => ({
      model_id,
      name: model.name,
      can_be_finetuned: false,
      can_do_text_to_speech: true,
      can_do_voice_conversion: false,
      can_use_style: model.canUseStyle,
      can_use_speaker_boost: model.canUseStyle,
      serves_pro_voices: false,
      token_cost_factor: 1,
      description: model.name,
      requires_alpha_access: false,
      max_characters_request_free_user: model.maxCharacters,
      max_characters_request_subscribed_user: model.maxCharacters,
      maximum_text_length_per_request: model.maxCharacters,
      languages,
      model_rates: { character_cost_multiplier: model.creditsPerCharacter },
      concurrency_group: model.creditsPerCharacter < 1 ? 'turbo' : 'standard',
    })),
  );
