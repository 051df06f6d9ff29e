import type { GenerationInput, Usage } from './generation';
import type { Condition, Model, Rate } from './model';
import { addMoney, scaleMoney, type Money } from './money';

const fits = (condition: Condition, wanted: Condition): boolean =>
  (Object.keys(condition) as (keyof Condition)[]).every((key) => condition[key] === wanted[key]);

const rateFor = (rates: readonly Rate[], input: GenerationInput): Money | null => {
  const wanted: Condition = {
    ...(input.resolution !== null && { resolution: input.resolution }),
    ...(input.audio !== null && { audio: input.audio }),
    ...(input.quality !== null && { quality: input.quality }),
    ...(input.size !== null && { size: input.size }),
  };
  return rates.find((rate) => fits(rate.when ?? {}, wanted))?.usd ?? null;
};

/** Four characters a token is the usual rule of thumb for English; three keeps the reserve on the safe side. */
const charactersPerToken = 3;
const defaultOutputTokens = 4096;

const megapixels = (size: string | null): number => {
  const [width = 1024, height = 1024] = (size ?? '1024x1024').split('x').map(Number);
  return Math.max(1, Math.ceil((width * height) / 1_000_000));
};

const spokenText = (input: GenerationInput): string =>
  [input.prompt ?? '', input.system ?? '', ...input.messages.map((message) => message.content)].join('\n');

const units = (per: 'second' | 'image' | 'megapixel' | 'thousandCharacters', input: GenerationInput): number | null => {
  switch (per) {
    case 'second':
      return input.durationSeconds === null ? null : input.durationSeconds * input.count;
    case 'image':
      return input.count;
    case 'megapixel':
      return megapixels(input.size) * input.count;
    case 'thousandCharacters':
      return (input.prompt ?? '').length / 1000;
  }
};

/**
 * The most one submit of this input can cost; `null` when the table has no row for it: an unknown price is a decision,
 * never 0. `input` has the model's defaults filled in.
 */
export const estimateCost = (model: Model, input: GenerationInput): Money | null => {
  const price = model.price;
  if (price.per === 'millionTokens') {
    const inputTokens = Math.ceil(spokenText(input).length / charactersPerToken);
    return tokenCost(price, inputTokens, input.maxTokens ?? defaultOutputTokens);
  }
  const usd = rateFor(price.rates, input);
  const amount = units(price.per, input);
  return usd === null || amount === null ? null : scaleMoney(usd, amount);
};

const tokenCost = (price: { input: Money; output: Money }, inputTokens: number, outputTokens: number): Money =>
  addMoney(scaleMoney(price.input, inputTokens, 1_000_000), scaleMoney(price.output, outputTokens, 1_000_000));

/** What finished work cost by our own table, from what the provider counted; the estimate where it counted nothing. */
export const actualCost = (model: Model, input: GenerationInput, usage: Usage): Money | null => {
  const price = model.price;
  if (price.per === 'millionTokens' && usage.inputTokens !== null && usage.outputTokens !== null)
    return tokenCost(price, usage.inputTokens, usage.outputTokens);
  const counted: GenerationInput = {
    ...input,
    durationSeconds: usage.seconds ?? input.durationSeconds,
    ...(usage.images !== null && { count: usage.images }),
  };
  if (price.per === 'thousandCharacters' && usage.characters !== null) {
    const usd = rateFor(price.rates, input);
    return usd === null ? null : scaleMoney(usd, usage.characters, 1000);
  }
  return estimateCost(model, counted);
};
