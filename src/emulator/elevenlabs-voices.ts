import { jsonAnswer, type Answer } from './answer';

/** The premade voices that every account has. */
const names: Record<string, string> = {
  JBFqnCBsd6RMkjVDRZzb: 'George',
  '21m00Tcm4TlvDq8ikWAM': 'Rachel',
  EXAVITQu4vr4xnSDxMaL: 'Sarah',
  FGY2WhTYpPnrIDTdsKH5: 'Laura',
  IKne3meq5aSn9XLyUdCD: 'Charlie',
  CwhRBWXzGAHq8TQ4Fs17: 'Roger',
  N2lVS1w4EtoT3dr4eOWO: 'Callum',
  SAz9YHcvj6GT2YYXdXww: 'River',
  TX3LPaxmHKxFdv7VOQHJ: 'Liam',
  XB0fDUnXU5powFXDhCwa: 'Charlotte',
  Xb7hH8MSUJpSbSDYk0k2: 'Alice',
  XrExE9yKIg1WjnnlVkGX: 'Matilda',
  bIHbv24MWmeRgasZH58o: 'Will',
  cgSgspJ2msm6clMCkdW9: 'Jessica',
  cjVigY5qzO86Huf0OWal: 'Eric',
  iP95p4xoKVk53GoZ742B: 'Chris',
  nPczCjzI2devNBz1zQrb: 'Brian',
  onwK4e9ZLuTAKqWW03F9: 'Daniel',
  pFZP5JQG7iQjIQuC4Bku: 'Lily',
  pqHfZKP75CvOlQylNhV4: 'Bill',
  pNInz6obpgDQGcFmaJgB: 'Adam',
  ErXwobaYiN019PkySvjV: 'Antoni',
};

export const findVoice = (id: string): string | undefined => names[id];

export const listVoices = (): Answer => {
  const voices = Object.entries(names).map(([voice_id, name]) => ({
    voice_id,
    name,
    category: 'premade',
    labels: { language: 'en' },
    description: null,
    preview_url: null,
    available_for_tiers: [],
    settings: null,
    high_quality_base_model_ids: ['eleven_multilingual_v2', 'eleven_flash_v2_5'],
  }));
  // The second version of the list adds paging to the first.
  return jsonAnswer(200, { voices, has_more: false, total_count: voices.length, next_page_token: null });
};
