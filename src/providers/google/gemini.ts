import type { Content, GenerateContentConfig, GenerateContentParameters, Part } from '@google/genai';
import { z } from 'zod';
import { noUsage, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Media, Outcome, Output, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { toBase64, withoutNulls } from '../request-values';
import { scrub } from '../scrub';
import { isBlockingCode } from './problems';

const toInlineData = (media: Media): Part => ({ inlineData: { mimeType: media.contentType, data: toBase64(media) } });

const toPrompt = ({ image, referenceImages, video, prompt }: ReadyInput): Content[] => {
  const media = [image, ...referenceImages, video].filter((item) => item !== null);
  const parts = [...media.map(toInlineData), ...(prompt === null || prompt === '' ? [] : [{ text: prompt }])];
  return parts.length === 0 ? [] : [{ role: 'user', parts }];
};

const toContents = (input: ReadyInput): Content[] => [
  ...input.messages
    .filter(({ role }) => role !== 'system')
    .map(({ role, content }) => ({ role: role === 'assistant' ? 'model' : 'user', parts: [{ text: content }] })),
  ...toPrompt(input),
];

const toSystem = ({ system, messages }: ReadyInput): string | null => {
  const said = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  return [...(system === null ? [] : [system]), ...said].join('\n\n') || null;
};

const toTextConfig = (input: ReadyInput): GenerateContentConfig =>
  withoutNulls({
    systemInstruction: toSystem(input),
    temperature: input.temperature,
    maxOutputTokens: input.maxTokens,
    seed: input.seed,
    responseMimeType: input.schema === null ? null : 'application/json',
    responseJsonSchema: input.schema,
  });

const toImageConfig = ({ aspectRatio, resolution }: ReadyInput): GenerateContentConfig => {
  const imageConfig = withoutNulls({
    aspectRatio: aspectRatio === 'auto' ? null : aspectRatio,
    imageSize: resolution,
  });
  return { responseModalities: ['IMAGE'], ...(Object.keys(imageConfig).length > 0 && { imageConfig }) };
};

export const toContentRequest = (model: Model, input: ReadyInput): GenerateContentParameters => ({
  model: model.providerModel,
  contents: toContents(input),
  config: {
    ...(model.medium === 'image' ? toImageConfig(input) : toTextConfig(input)),
    // Else the SDK goes on by itself after a token limit: one more paid request.
    automaticContinuation: false,
  },
});

const count = z.number().nullish();

const usageSchema = z.object({ promptTokenCount: count, candidatesTokenCount: count, thoughtsTokenCount: count });

/** @see https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse (2026-11-21) */
const responseSchema = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z
              .array(
                z.object({
                  text: z.string().nullish(),
                  thought: z.boolean().nullish(),
                  inlineData: z.object({ mimeType: z.string().min(1), data: z.base64().min(1) }).nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finishReason: z.string().nullish(),
        finishMessage: z.string().nullish(),
      }),
    )
    .nullish(),
  promptFeedback: z.object({ blockReason: z.string().nullish() }).nullish(),
  usageMetadata: usageSchema.nullish(),
});

type Response = z.infer<typeof responseSchema>;

/** What one answer, or all pieces of a stream, come to. */
type Reply = {
  text: string;
  images: Extract<Output, { kind: 'bytes' }>[];
  blockReason: string | null;
  finishReason: string | null;
  finishMessage: string | null;
  usage: z.infer<typeof usageSchema> | null;
};

const emptyReply: Reply = {
  text: '',
  images: [],
  blockReason: null,
  finishReason: null,
  finishMessage: null,
  usage: null,
};

const parse = (body: unknown): Response => {
  const parsed = responseSchema.safeParse(body);
  if (!parsed.success) throw badResponse('not generated content');
  return parsed.data;
};

type Candidate = NonNullable<Response['candidates']>[number];

/** Thoughts, drafts of images among them, are not the result. */
const partsOf = ({ content }: Candidate) => (content?.parts ?? []).filter(({ thought }) => thought !== true);

const imagesOf = (candidate: Candidate): Reply['images'] =>
  partsOf(candidate)
    .flatMap(({ inlineData }) => inlineData ?? [])
    .map(({ data, mimeType }) => ({ kind: 'bytes', bytes: Buffer.from(data, 'base64'), contentType: mimeType }));

const appendCandidate = (reply: Reply, candidate: Candidate): Reply => ({
  ...reply,
  text: partsOf(candidate).reduce((text, part) => text + (part.text ?? ''), reply.text),
  images: [...reply.images, ...imagesOf(candidate)],
  finishReason: candidate.finishReason ?? reply.finishReason,
  finishMessage: candidate.finishMessage ?? reply.finishMessage,
});

const append = (reply: Reply, { candidates, promptFeedback, usageMetadata }: Response): Reply => {
  const [candidate] = candidates ?? [];
  return {
    ...(candidate ? appendCandidate(reply, candidate) : reply),
    blockReason: promptFeedback?.blockReason ?? reply.blockReason,
    usage: usageMetadata ?? reply.usage,
  };
};

/** Thinking is charged like output. */
const toUsage = ({ usage, images }: Reply): Usage => {
  const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount } = usage ?? {};
  const written = [candidatesTokenCount, thoughtsTokenCount].filter((tokens) => typeof tokens === 'number');
  return {
    ...noUsage,
    inputTokens: promptTokenCount ?? null,
    outputTokens: written.length === 0 ? null : written.reduce((sum, tokens) => sum + tokens, 0),
    images: images.length === 0 ? null : images.length,
  };
};

const reject = (message: string, told: string | null): Outcome => ({
  state: 'failed',
  code: 'provider_content_rejected',
  message: scrub(told ?? message),
  // Said of images only; what a blocked text costs is not told.
  ...(/not be charged/i.test(told ?? '') && { chargedUsd: '0' }),
});

const stopped = ({ finishReason, finishMessage }: Reply): Outcome => ({
  state: 'failed',
  code: 'provider_failed',
  message: scrub(finishMessage ?? `the model stopped: ${finishReason ?? 'no reason given'}`),
});

const complete: readonly string[] = ['STOP'];
/** `CONTINUATION` would go on in another paid request. */
const cutShort: readonly string[] = ['MAX_TOKENS', 'CONTINUATION'];

const toImages = (reply: Reply): Outcome => {
  if (reply.images.length === 0) return stopped({ ...reply, finishReason: `${reply.finishReason}, without an image` });
  return { state: 'succeeded', outputs: reply.images, usage: toUsage(reply), warnings: [] };
};

const toText = (reply: Reply, wasCut: boolean): Outcome => {
  if (reply.text === '' && !wasCut) throw badResponse('an answer without text');
  return {
    state: 'succeeded',
    outputs: [{ kind: 'text', text: reply.text }],
    usage: toUsage(reply),
    warnings: wasCut ? ['the text was cut at the token limit'] : [],
  };
};

const toOutcome = (model: Model, reply: Reply): Outcome => {
  const { blockReason, finishReason, finishMessage } = reply;
  if (blockReason !== null) return reject(`the prompt was blocked: ${blockReason}`, null);
  if (finishReason === null) throw badResponse('the answer ended before the content did');
  if (isBlockingCode(finishReason)) return reject(`the answer was blocked: ${finishReason}`, finishMessage);
  const wasCut = cutShort.includes(finishReason);
  if (!wasCut && !complete.includes(finishReason)) return stopped(reply);
  return model.medium === 'image' ? toImages(reply) : toText(reply, wasCut);
};

export const toContentOutcome = (model: Model, body: unknown): Outcome =>
  toOutcome(model, append(emptyReply, parse(body)));

/** Puts the pieces together. A stream that ends without a finish reason was cut, whatever HTTP says. */
export const collectContent = async (
  model: Model,
  chunks: AsyncIterable<unknown>,
  onText: (delta: string) => void,
): Promise<Outcome> => {
  let reply = emptyReply;
  for await (const chunk of chunks) {
    const next = append(reply, parse(chunk));
    if (next.text !== reply.text) onText(next.text.slice(reply.text.length));
    reply = next;
  }
  return toOutcome(model, reply);
};
