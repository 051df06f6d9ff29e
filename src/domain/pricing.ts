import { conditionOf, fits, usualTextLength } from './adapted-input';
import type { GenerationInput, Usage } from './generation';
import type { Model, Price, Rate, TokenRates } from './model';
import { addMoney, compareMoney, roundUpTo, scaleMoney, zero, type Money } from './money';

const rateFor = (rates: readonly Rate[], input: GenerationInput<unknown>): Money | null =>
  rates.find((rate) => fits(rate.when ?? {}, conditionOf(input)))?.usd ?? null;

/** Four characters a token is the usual rule of thumb for English; three keeps the reserve on the safe side. */
const charactersPerToken = 3;

const megapixels = (size: string | null): number => {
  const [width = 1024, height = 1024] = (size ?? '1024x1024').split('x').map(Number);
  return Math.max(1, Math.ceil((width * height) / 1_000_000));
};

/** An image is 250 to 6,000 tokens, a second of video about 300, and how long one is nobody has looked at. */
const mediaTokens = { image: 6_000, video: 100_000 };

const writtenText = (input: GenerationInput<unknown>): string =>
  [input.prompt ?? '', input.system ?? '', ...input.messages.map((message) => message.content)].join('\n');

const countImages = ({ image, lastFrame, referenceImages }: GenerationInput<unknown>): number =>
  [image, lastFrame, ...referenceImages].filter((one) => one !== null).length;

/** What the input has to be read as, rather too much than too little. */
const inputTokens = (input: GenerationInput<unknown>): { text: number; media: number } => {
  const text = Math.ceil(writtenText(input).length / charactersPerToken);
  const schema = input.schema === null ? 0 : Math.ceil(JSON.stringify(input.schema).length / charactersPerToken);
  const media = countImages(input) * mediaTokens.image + (input.video === null ? 0 : mediaTokens.video);
  return { text: text + schema, media };
};

const readingCost = (rates: TokenRates, input: GenerationInput<unknown>): Money => {
  const { text, media } = inputTokens(input);
  return addMoney(
    scaleMoney(rates.input, text, 1_000_000),
    scaleMoney(rates.imageInput ?? rates.input, media, 1_000_000),
  );
};

/** The most tokens one submit of this input uses; 0 where work is not counted in them. `input` has the defaults filled in. */
export const estimateTokens = ({ price, medium }: Model, input: GenerationInput<unknown>): number => {
  if (medium !== 'text' && price?.per !== 'millionTokens') return 0;
  const { text, media } = inputTokens(input);
  return text + media + (input.maxTokens ?? usualTextLength);
};

const units = (per: Exclude<Price['per'], 'millionTokens'>, input: GenerationInput<unknown>): number | null => {
  switch (per) {
    case 'second':
      return input.durationSeconds === null ? null : input.durationSeconds * input.count;
    case 'image':
    case 'piece':
      return input.count;
    case 'megapixel':
      return megapixels(input.size) * input.count;
    case 'thousandCharacters':
      return (input.prompt ?? '').length / 1000;
  }
};

/** Who charges in credits charges whole ones. */
const inCredits = ({ creditUsd }: Price, usd: Money): Money =>
  creditUsd === undefined || compareMoney(creditUsd, zero) <= 0 ? usd : roundUpTo(creditUsd, usd);

/**
 * The most one submit of this input can cost; `null` when the table has no row for it: an unknown price is a decision,
 * never 0. `input` has the model's defaults filled in.
 */
export const estimateCost = (model: Model, input: GenerationInput<unknown>): Money | null => {
  const price = model.price;
  if (price === null) return null;
  if (price.per === 'millionTokens')
    return addMoney(readingCost(price, input), scaleMoney(price.output, input.maxTokens ?? usualTextLength, 1_000_000));
  const usd = rateFor(price.rates, input);
  const amount = units(price.per, input);
  if (usd === null || amount === null) return null;
  const work = addMoney(
    scaleMoney(usd, amount),
    price.metered === undefined ? zero : readingCost(price.metered, input),
  );
  return inCredits(price, work);
};

const tokenCost = (price: TokenRates, inputTokens: number, outputTokens: number): Money =>
  addMoney(scaleMoney(price.input, inputTokens, 1_000_000), scaleMoney(price.output, outputTokens, 1_000_000));

const countedCost = (rates: TokenRates, { inputTokens, outputTokens, imageTokens }: Usage): Money | null => {
  if (inputTokens === null || outputTokens === null) return null;
  const images = rates.imageInput === undefined ? 0 : Math.min(imageTokens ?? 0, inputTokens);
  const ofImages = scaleMoney(rates.imageInput ?? rates.input, images, 1_000_000);
  return addMoney(tokenCost(rates, inputTokens - images, outputTokens), ofImages);
};

/** What the answer's tokens cost, where they are what is charged. */
const meteredCost = (price: Price, usage: Usage): Money | null => {
  if (price.per === 'millionTokens') return countedCost(price, usage);
  return price.metered === undefined ? null : countedCost(price.metered, usage);
};

/** What finished work cost by our own table, from what the provider counted; the estimate where it counted nothing. */
export const actualCost = (model: Model, input: GenerationInput<unknown>, usage: Usage): Money | null => {
  const price = model.price;
  if (price === null) return null;
  const metered = meteredCost(price, usage);
  if (metered !== null) return metered;
  const counted: GenerationInput<unknown> = {
    ...input,
    durationSeconds: usage.seconds ?? input.durationSeconds,
    ...(usage.images !== null && { count: usage.images }),
  };
  if (price.per === 'thousandCharacters' && usage.characters !== null) {
    const usd = rateFor(price.rates, input);
    return usd === null ? null : inCredits(price, scaleMoney(usd, usage.characters, 1000));
  }
  return estimateCost(model, counted);
};
