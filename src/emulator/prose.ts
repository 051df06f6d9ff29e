import { hashOf } from './operations';

const openings = ['In short,', 'Put plainly,', 'To begin with,', 'At its heart,'];
const middles = [
  'it rewards a patient eye and a clear first idea',
  'the details matter less than the feeling they leave behind',
  'one strong image says more than many small ones',
  'the simplest version is usually the one people remember',
];
const closings = [
  'A good next step is to settle on the mood before anything else.',
  'Keep the light soft and the composition uncluttered.',
  'Try it once quickly, then refine what already works.',
  'Let the subject breathe, and leave some room around it.',
];

const pick = (list: readonly string[], byte: string): string => list[Number.parseInt(byte, 16) % list.length] ?? '';

/** What the prompt is about: its first words, without what would break the sentence. */
export const topicOf = (prompt: string): string => {
  const words = prompt
    .replaceAll(/[\s"“”]+/g, ' ')
    .trim()
    .split(' ')
    .slice(0, 12)
    .join(' ');
  return words.replace(/[.,;:!?]+$/, '') || 'this';
};

/** Two or three true sentences, always the same ones for the same prompt. */
export const writeProse = (prompt: string): string => {
  const hash = hashOf(prompt);
  return [
    `You asked about “${topicOf(prompt)}”.`,
    `${pick(openings, hash.slice(0, 2))} ${pick(middles, hash.slice(2, 4))}.`,
    pick(closings, hash.slice(4, 6)),
  ].join(' ');
};

/** About four characters a token, as providers tell their users. */
export const countTokens = (text: string): number => Math.max(1, Math.ceil(text.length / 4));
