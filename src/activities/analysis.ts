import { detect } from 'tinyld';
import type { Analysis, GenerationInput, GenerationRequest } from '../domain/generation';
import { cut } from '../domain/text';
import { publishChange } from '../stores/generations';
import type { Dependencies } from './dependencies';
import { listUnfetched } from './inputs';

const styles = ['cinematic', 'anime', 'photorealistic', 'watercolor', '3d', 'pixel', 'line art', 'noir', 'documentary'];

const motions: readonly (readonly [RegExp, string])[] = [
  [/\b(fast|racing|running|chase|explo\w+|speeding)\b/i, 'fast'],
  [/\b(slow|slowly|calm|gentle|drifting|still)\b/i, 'slow'],
  [/\b(pan|zoom|dolly|tracking shot|orbit|flyover|drone)\b/i, 'camera'],
];

const aspectRatios: readonly (readonly [RegExp, string])[] = [
  [/\b(16:9|widescreen|landscape)\b/i, '16:9'],
  [/\b(9:16|vertical|portrait|story|reel)\b/i, '9:16'],
  [/\b(1:1|square)\b/i, '1:1'],
];

// only what every provider refuses anyway: a hint before money is spent, not a judgement
const concerns: readonly (readonly [RegExp, string])[] = [
  [/\b(child|minor|underage)\b.{0,40}\b(nude|naked|sexual)/i, 'sexual content involving minors'],
  [/\b(nude|naked|porn\w*|explicit sex)\b/i, 'sexual content'],
  [/\b(gore|beheading|dismember\w*)\b/i, 'graphic violence'],
  [/\bhow to (make|build) (a |an )?(bomb|explosive|nerve agent)/i, 'weapons'],
];

const firstMatch = (text: string, table: readonly (readonly [RegExp, string])[]): string | null =>
  table.find(([pattern]) => pattern.test(text))?.[1] ?? null;

const textOf = (input: GenerationInput): string =>
  [input.prompt ?? '', ...input.messages.map((message) => message.content)].join(' ').trim();

const durationIn = (text: string): number | null => {
  const seconds = /\b(\d{1,3})[\s-]*(?:s|sec|secs|second|seconds)\b/i.exec(text)?.[1];
  return seconds === undefined ? null : Number(seconds);
};

/** Length, clauses and motion each make a prompt harder to render well. */
const complexityOf = (text: string): number => {
  const words = text.split(/\s+/).filter(Boolean).length;
  const clauses = text.split(/[,;.]| and | while | then /i).length;
  const score =
    1 + Number(words > 12) + Number(words > 40) + Number(clauses > 3) + Number(firstMatch(text, motions) !== null);
  return Math.min(5, score);
};

const suggestionsFor = (request: GenerationRequest, text: string): string[] => {
  const words = text.split(/\s+/).filter(Boolean).length;
  const visual = request.medium === 'video' || request.medium === 'image';
  return [
    ...(visual && words < 6 ? ['Add subject, setting and light: short prompts leave the look to chance.'] : []),
    ...(visual && !styles.some((style) => text.toLowerCase().includes(style))
      ? ['Name a style, for instance cinematic.']
      : []),
    ...(request.medium === 'video' && firstMatch(text, motions) === null
      ? ['Say how the camera or the subject moves.']
      : []),
  ];
};

/** From the words alone: no call, no cost, the same answer every time. */
const analyzeLocally = (request: GenerationRequest): Analysis => {
  const text = textOf(request.input);
  const concern = concerns.filter(([pattern]) => pattern.test(text)).map(([, reason]) => reason);
  return {
    source: 'local',
    degraded: false,
    language: detect(text) || 'und',
    subject: cut(text.split(/[,.;\n]/)[0]?.trim() ?? '', 120),
    style: styles.find((style) => text.toLowerCase().includes(style)) ?? null,
    motion: request.medium === 'video' ? firstMatch(text, motions) : null,
    durationSeconds: request.input.durationSeconds ?? durationIn(text),
    aspectRatio: request.input.aspectRatio ?? firstMatch(text, aspectRatios),
    complexity: complexityOf(text),
    moderation: { flagged: concern.length > 0, reasons: concern },
    suggestions: suggestionsFor(request, text),
  };
};

/** First step: the generation is running from here on. Returns how many images and videos are to be fetched first. */
export const analyzeRequest = async (
  { database, reached }: Dependencies,
  { generationId, runId }: { generationId: string; runId: string },
): Promise<{ inputsToFetch: number }> => {
  let inputsToFetch = 0;
  await publishChange(database, generationId, ({ request, analysis, phase }) => {
    inputsToFetch = listUnfetched(request).length;
    return {
      status: 'running',
      // a run that was reset starts here again; what it had reached stays published
      phase: phase ?? 'analyzing',
      workflowRunId: runId,
      ...(request.analysis !== 'off' && analysis === null && { analysis: analyzeLocally(request) }),
    };
  });
  reached('analyzed');
  return { inputsToFetch };
};
