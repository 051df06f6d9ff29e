import { renderOutput } from '../media';
import type { Operation } from '../operations';
import { countTokens, writeProse } from '../prose';
import { fitSchema } from '../schema-example';
import { partsOf } from './content-input';
import type { ContentBody, GenerationConfig, Part } from './content-fields';
import type { GoogleModel } from './models';

type TokenDetail = { modality: string; tokenCount: number };

export type Usage = {
  promptTokenCount: number;
  candidatesTokenCount?: number;
  totalTokenCount: number;
  promptTokensDetails: TokenDetail[];
  candidatesTokensDetails?: TokenDetail[];
  thoughtsTokenCount?: number;
};

export type Candidate = {
  text: string;
  finishReason: 'STOP' | 'MAX_TOKENS' | 'SAFETY' | 'IMAGE_SAFETY';
};

/** Everything a content answer is made of, kept with its operation. */
export type Reply = {
  candidates: Candidate[];
  isBlocked: boolean;
  usage: Usage;
  isImage: boolean;
};

/** 258 tokens an image, 263 a second of video and 32 of sound; the seconds are guessed of the size. */
const mediaTokens: Record<string, (sizeBytes: number) => number> = {
  image: () => 258,
  video: (sizeBytes) => 263 * Math.max(1, Math.ceil(sizeBytes / 250_000)),
  audio: (sizeBytes) => 32 * Math.max(1, Math.ceil(sizeBytes / 16_000)),
  application: (sizeBytes) => 258 * Math.max(1, Math.ceil(sizeBytes / 50_000)),
};

const modalityNames: Record<string, string> = { application: 'DOCUMENT', text: 'TEXT' };

const tokensOfPart = ({ text, inlineData, fileData }: Part): TokenDetail => {
  const mimeType = (inlineData ?? fileData)?.mimeType ?? 'text/plain';
  const kind = mimeType.split('/')[0] ?? 'text';
  const modality = modalityNames[kind] ?? kind.toUpperCase();
  const sizeBytes = ((inlineData?.data ?? '').length * 3) / 4;
  const count = mediaTokens[kind] ?? ((size: number) => Math.ceil(size / 4));
  return { modality, tokenCount: text === undefined ? count(sizeBytes) : countTokens(text) };
};

export const countPrompt = (body: ContentBody): { total: number; details: TokenDetail[] } => {
  const totals = new Map<string, number>();
  for (const part of [...(body.systemInstruction?.parts ?? []), ...partsOf(body)]) {
    const { modality, tokenCount } = tokensOfPart(part);
    totals.set(modality, (totals.get(modality) ?? 0) + tokenCount);
  }
  const details = [...totals].map(([modality, tokenCount]) => ({ modality, tokenCount }));
  return { total: details.reduce((sum, { tokenCount }) => sum + tokenCount, 0), details };
};

/** OpenAPI as Google writes it, with its types in capitals, read as a JSON schema. */
const lowerTypes = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(lowerTypes);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === 'type' && typeof value === 'string' ? value.toLowerCase() : name === 'enum' ? value : lowerTypes(value),
    ]),
  );
};

const writeText = (config: GenerationConfig, prompt: string): string => {
  const { responseMimeType = 'text/plain', responseJsonSchema, responseSchema } = config;
  if (responseMimeType === 'text/plain') return writeProse(prompt);
  const schema = responseJsonSchema ?? lowerTypes(responseSchema);
  if (schema === undefined) return JSON.stringify({ answer: writeProse(prompt) });
  const value = fitSchema(schema, prompt.trim());
  return responseMimeType === 'text/x.enum' ? String(value) : JSON.stringify(value);
};

const cutAtStop = (text: string, stops: string[]): string => {
  const places = stops.map((stop) => (stop === '' ? -1 : text.indexOf(stop))).filter((place) => place >= 0);
  return places.length === 0 ? text : text.slice(0, Math.min(...places));
};

/** Thinking models think unless told not to, and their thoughts count against the limit of the answer. */
const thoughtsOf = ({ thinking }: GoogleModel, { thinkingConfig = {} }: GenerationConfig, prompt: string): number => {
  const budget = thinkingConfig.thinkingBudget ?? -1;
  if (thinking === undefined || budget === 0) return 0;
  const wanted = 24 + Math.min(200, countTokens(prompt));
  return budget < 0 ? wanted : Math.min(budget, wanted);
};

const writeCandidate = (config: GenerationConfig, prompt: string, allowedTokens: number): Candidate => {
  const text = cutAtStop(writeText(config, prompt), config.stopSequences ?? []);
  return countTokens(text) > allowedTokens
    ? { text: text.slice(0, Math.max(0, allowedTokens) * 4), finishReason: 'MAX_TOKENS' }
    : { text, finishReason: 'STOP' };
};

export type Asked = {
  model: GoogleModel;
  body: ContentBody;
  prompt: string;
  reason: Operation['reason'];
};

const writeCandidates = ({ model, body, prompt, reason }: Asked, thoughts: number): Candidate[] => {
  if (model.image !== undefined) return [{ text: '', finishReason: reason === 'filtered' ? 'IMAGE_SAFETY' : 'STOP' }];
  if (reason === 'filtered') return [{ text: '', finishReason: 'SAFETY' }];
  const config = body.generationConfig ?? {};
  const allowedTokens = (config.maxOutputTokens ?? Infinity) - thoughts;
  // Blanks at the end change the words, not the topic: other candidates are other answers.
  return Array.from({ length: config.candidateCount ?? 1 }, (_, index) =>
    writeCandidate(config, prompt + ' '.repeat(index), allowedTokens),
  );
};

const outputOf = ({ model, reason }: Asked, candidates: Candidate[]): TokenDetail => {
  if (model.image !== undefined) {
    return { modality: 'IMAGE', tokenCount: reason === null ? model.image.imageTokens : 0 };
  }
  const texts = candidates.filter(({ text }) => text !== '');
  return { modality: 'TEXT', tokenCount: texts.reduce((sum, { text }) => sum + countTokens(text), 0) };
};

export const replyTo = (asked: Asked): Reply => {
  const { total, details } = countPrompt(asked.body);
  const prompt = { promptTokenCount: total, promptTokensDetails: details };
  const isImage = asked.model.image !== undefined;
  if (asked.reason === 'content') {
    return { candidates: [], isBlocked: true, isImage, usage: { ...prompt, totalTokenCount: total } };
  }
  const thoughts = thoughtsOf(asked.model, asked.body.generationConfig ?? {}, asked.prompt);
  const candidates = writeCandidates(asked, thoughts);
  const output = outputOf(asked, candidates);
  const usage: Usage = {
    ...prompt,
    ...(output.tokenCount === 0 ? {} : { candidatesTokenCount: output.tokenCount, candidatesTokensDetails: [output] }),
    totalTokenCount: total + output.tokenCount + thoughts,
    ...(thoughts === 0 ? {} : { thoughtsTokenCount: thoughts }),
  };
  return { candidates, isBlocked: false, isImage, usage };
};

export const priceOf = ({ text, image }: GoogleModel, { usage, isBlocked }: Reply, imageSize = '1K'): number => {
  if (image !== undefined) return isBlocked ? 0 : (image.sizes[imageSize] ?? 0);
  const [input, output] = text?.rates ?? [0, 0];
  const written = (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0);
  return (usage.promptTokenCount * input + written * output) / 1e6;
};

const finishMessages: Partial<Record<Candidate['finishReason'], string>> = {
  IMAGE_SAFETY:
    "Unable to show the generated image. The image was filtered out because it violated Google's Generative AI Prohibited Use policy. You will not be charged for blocked images. Try rephrasing the prompt.",
};

const partsOfCandidate = (operation: Operation, { isImage }: Reply, { text, finishReason }: Candidate): Part[] => {
  if (finishReason === 'SAFETY' || finishReason === 'IMAGE_SAFETY') return [];
  if (!isImage) return text === '' ? [] : [{ text }];
  return operation.outputs.map(({ contentType }, index) => ({
    inlineData: { mimeType: contentType, data: renderOutput(operation, index).toString('base64') },
  }));
};

const showCandidate = (operation: Operation, reply: Reply, index: number): Record<string, unknown> => {
  const candidate = reply.candidates[index] ?? { text: '', finishReason: 'STOP' };
  const parts = partsOfCandidate(operation, reply, candidate);
  const { finishReason } = candidate;
  const isBlocked = finishReason === 'SAFETY' || finishReason === 'IMAGE_SAFETY';
  const finishMessage = finishMessages[finishReason];
  return {
    ...(isBlocked ? {} : { content: { ...(parts.length === 0 ? {} : { parts }), role: 'model' } }),
    finishReason,
    ...(finishMessage === undefined ? {} : { finishMessage }),
    index,
  };
};

const tailOf = (operation: Operation, usageMetadata: unknown): Record<string, unknown> => ({
  usageMetadata,
  modelVersion: operation.model,
  responseId: operation.id,
});

const blocked = { blockReason: 'PROHIBITED_CONTENT' };

export const showReply = (operation: Operation, reply: Reply): Record<string, unknown> => {
  const tail = tailOf(operation, reply.usage);
  if (reply.isBlocked) return { promptFeedback: blocked, ...tail };
  return { candidates: reply.candidates.map((_, index) => showCandidate(operation, reply, index)), ...tail };
};

/** A few words in each; the finish reason and the full usage come with the last. */
export const showChunks = (operation: Operation, reply: Reply): Record<string, unknown>[] => {
  const text = reply.candidates[0]?.text ?? '';
  const pieces = text.match(/(?:\s*\S+){1,4}\s*/g) ?? [];
  if (reply.isBlocked || pieces.length < 2) return [showReply(operation, reply)];
  const { promptTokenCount, promptTokensDetails } = reply.usage;
  const early = tailOf(operation, { promptTokenCount, totalTokenCount: promptTokenCount, promptTokensDetails });
  const chunkOf = (piece: string): Record<string, unknown> => ({
    content: { parts: [{ text: piece }], role: 'model' },
    index: 0,
  });
  return pieces.map((piece, index) =>
    index < pieces.length - 1
      ? { candidates: [chunkOf(piece)], ...early }
      : {
          candidates: [{ ...chunkOf(piece), finishReason: reply.candidates[0]?.finishReason }],
          ...tailOf(operation, reply.usage),
        },
  );
};
