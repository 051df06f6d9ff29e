/** A decimal string in USD without exponent, up to eight places: `"0.00005"`. Never a float: cents must add up. */
export type Money = string;

const places = 8;
const scale = 10n ** BigInt(places);
const pattern = /^-?\d+(\.\d{1,8})?$/;

export const isMoney = (text: string): boolean => pattern.test(text);

const toUnits = (money: Money): bigint => {
  if (!isMoney(money)) throw new RangeError(`not an amount of USD with up to ${places} places: ${money}`);
  const negative = money.startsWith('-');
  const [whole = '0', fraction = ''] = (negative ? money.slice(1) : money).split('.');
  const units = BigInt(whole) * scale + BigInt(fraction.padEnd(places, '0'));
  return negative ? -units : units;
};

const fromUnits = (units: bigint): Money => {
  const size = units < 0n ? -units : units;
  const fraction = (size % scale).toString().padStart(places, '0').replace(/0+$/, '');
  const text = `${size / scale}${fraction === '' ? '' : `.${fraction}`}`;
  return units < 0n ? `-${text}` : text;
};

export const zero: Money = '0';

export const addMoney = (...amounts: Money[]): Money =>
  fromUnits(amounts.reduce((sum, amount) => sum + toUnits(amount), 0n));

/** `money × numerator ÷ denominator`, rounded up to the last place: an estimate must not be too low. */
export const scaleMoney = (money: Money, numerator: number, denominator = 1): Money => {
  const product = toUnits(money) * BigInt(Math.round(numerator * 1e6));
  const divisor = BigInt(Math.round(denominator * 1e6));
  const roundsUp = product > 0n && product % divisor !== 0n;
  return fromUnits(product / divisor + (roundsUp ? 1n : 0n));
};

/** The next whole number of `steps`, upwards. */
export const roundUpTo = (step: Money, money: Money): Money => {
  const [size, units] = [toUnits(step), toUnits(money)];
  return fromUnits(((units + size - 1n) / size) * size);
};

/** Negative, zero or positive, as in Array.sort. */
export const compareMoney = (left: Money, right: Money): number => {
  const difference = toUnits(left) - toUnits(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

/** Numbers are accepted in requests; `2` and `"2.00"` are the same amount. */
export const parseMoney = (value: string | number): Money =>
  fromUnits(toUnits(typeof value === 'number' ? value.toFixed(places) : value));
