import { jsonAnswer, type Answer } from '../answer';
import type { Call } from '../provider';
import { detail } from './problems';

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

const toVoice = (voice_id: string): Record<string, unknown> => ({
  voice_id,
  name: names[voice_id],
  category: 'premade',
  labels: { language: 'en' },
  description: null,
  preview_url: null,
  available_for_tiers: [],
  settings: null,
  high_quality_base_model_ids: ['eleven_multilingual_v2', 'eleven_flash_v2_5'],
});

/** The first version of the list: all at once. */
export const listVoices = (): Answer => jsonAnswer(200, { voices: Object.keys(names).map(toVoice) });

export const showVoice = ({ params }: Call): Answer => {
  const id = params['voice'] ?? '';
  return findVoice(id) === undefined
    ? detail(404, 'voice_not_found', `A voice with the voice_id ${id} was not found.`)
    : jsonAnswer(200, toVoice(id));
};

/** The second one: searched, and page by page. */
export const searchVoices = ({ query }: Call): Answer => {
  const wanted = (query.get('search') ?? '').toLowerCase();
  const found = Object.keys(names).filter((id) => names[id]?.toLowerCase().includes(wanted));
  const pageSize = Math.min(100, Math.max(1, Number(query.get('page_size') ?? 10)));
  const start = Number(query.get('next_page_token') ?? 0);
  const hasMore = found.length > start + pageSize;
  return jsonAnswer(200, {
    voices: found.slice(start, start + pageSize).map(toVoice),
    has_more: hasMore,
    total_count: found.length,
    next_page_token: hasMore ? String(start + pageSize) : null,
  });
};
