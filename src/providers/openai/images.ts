import type OpenAI from 'openai';
import { z } from 'zod';
import { noUsage, type Usage } from '../../domain/generation';
import type { Model } from '../../domain/model';
import type { Media, Outcome, Output, ReadyInput } from '../provider';
import { badResponse } from '../refusal';
import { withoutNulls } from '../request-values';

type ImageRequest = OpenAI.Images.ImageGenerateParamsNonStreaming;
type EditRequest = OpenAI.Images.ImageEditParamsNonStreaming;

/** The retired ones answer by a link of an hour unless asked otherwise; the others know no such choice. */
const isDalle = ({ providerModel }: Model): boolean => /(^|\/)dall-e/.test(providerModel);

// Our sizes, qualities and formats are strings; the catalogue holds them to what the SDK's types list.
const toCommon = (model: Model, input: ReadyInput) =>
  withoutNulls({
    model: model.providerModel,
    prompt: input.prompt ?? '',
    n: input.count,
    size: input.size,
    quality: input.quality,
    output_format: input.format,
    response_format: isDalle(model) ? 'b64_json' : null,
  });

export const toImageRequest = (model: Model, input: ReadyInput): ImageRequest =>
  toCommon(model, input) as unknown as ImageRequest;

export const toFile = ({ bytes, contentType }: Media, name: string): File =>
  new File([new Uint8Array(bytes)], `${name}.${contentType.replace(/^image\//, '')}`, { type: contentType });

/** `null` where there is no image to start from. The first one is what the prompt changes, the others go with it. */
export const toEditRequest = (model: Model, input: ReadyInput): EditRequest | null => {
  const images = [...(input.image === null ? [] : [input.image]), ...input.referenceImages];
  if (images.length === 0) return null;
  const files = images.map((media, index) => toFile(media, `image${index + 1}`));
  return { ...toCommon(model, input), image: files } as unknown as EditRequest;
};

/** @see https://platform.openai.com/docs/api-reference/images/object (2026-11-21) */
const imagesSchema = z.object({
  data: z.array(z.union([z.object({ b64_json: z.string().min(1) }), z.object({ url: z.url() })])).min(1),
  output_format: z.string().nullish(),
  usage: z
    .object({
      input_tokens: z.number().nullish(),
      output_tokens: z.number().nullish(),
      input_tokens_details: z.object({ image_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
});

const toUsage = (usage: z.infer<typeof imagesSchema>['usage']): Usage => ({
  ...noUsage,
  inputTokens: usage?.input_tokens ?? null,
  outputTokens: usage?.output_tokens ?? null,
  imageTokens: usage?.input_tokens_details?.image_tokens ?? null,
});

export const toImageOutcome = (body: unknown, input: ReadyInput): Outcome => {
  const parsed = imagesSchema.safeParse(body);
  if (!parsed.success) throw badResponse('no images');
  const { data, output_format: format, usage } = parsed.data;
  const contentType = `image/${format ?? input.format ?? 'png'}`;
  const toOutput = (image: (typeof data)[number]): Output =>
    'url' in image
      ? { kind: 'url', url: image.url, contentType: null }
      : { kind: 'bytes', bytes: Buffer.from(image.b64_json, 'base64'), contentType };
  return {
    state: 'succeeded',
    outputs: data.map(toOutput),
    usage: { ...toUsage(usage), images: data.length },
    warnings: [],
  };
};
