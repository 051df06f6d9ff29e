import { z } from 'zod';
import { isMoney, parseMoney, type Money } from '../domain/money';

/** An object of these fields and no others; a stranger is told which there are. */
export const strict = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `is not a field here; there are ${Object.keys(shape).join(', ')}`
        : undefined,
  });

/** One of `now`; what is promised for `later` is told apart from what is wrong. */
export const choice = <const Now extends readonly [string, ...string[]]>(now: Now, later: readonly string[] = []) =>
  z.enum(now, {
    error: ({ input }) =>
      typeof input === 'string' && later.includes(input)
        ? `is not available yet: accepted values are ${now.join(', ')}`
        : `must be one of ${now.join(', ')}`,
  });

const highestUsd = 1e9;

const isAmount = (value: string | number): boolean =>
  typeof value === 'string'
    ? value.length <= 20 && isMoney(value) && !value.startsWith('-') && Number(value) <= highestUsd
    : value >= 0 && value <= highestUsd;

const moneyRule = 'must be an amount of USD with up to eight places, such as "0.05"';

export const money = z
  .union([z.string(), z.number()], { error: moneyRule })
  .refine(isAmount, { error: moneyRule })
  .transform((value): Money => parseMoney(value));

export const text = (maximum: number) => z.string().min(1).max(maximum);

export const nullableText = (maximum: number) => text(maximum).nullable().default(null);

/** Of a query: how many rows a page has. */
export const pageLimit = z
  .string()
  .regex(/^([1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
  .default('20')
  .transform(Number);
