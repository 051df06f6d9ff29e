import fc from 'fast-check';
import { addMoney, compareMoney, isMoney, parseMoney, scaleMoney, zero } from '../../src/domain/money';

const unitsPerUsd = 10n ** 8n;

/** Amounts as whole units of 0.00000001 USD, up to ten billion USD. */
const units = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const positiveUnits = fc.bigInt({ min: 0n, max: 10n ** 18n });

const write = (amount: bigint): string => {
  const size = amount < 0n ? -amount : amount;
  const fraction = (size % unitsPerUsd).toString().padStart(8, '0');
  return `${amount < 0n ? '-' : ''}${size / unitsPerUsd}.${fraction}`;
};

const read = (money: string): bigint => {
  const [whole = '', fraction = ''] = money.replace('-', '').split('.');
  const size = BigInt(whole + fraction.padEnd(8, '0'));
  return money.startsWith('-') ? -size : size;
};

const ceilingOf = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor;
  return dividend > 0n && dividend % divisor !== 0n ? quotient + 1n : quotient;
};

const isWellFormed = (money: string): boolean => /^-?(0|[1-9]\d*)(\.\d{0,7}[1-9])?$/.test(money) && money !== '-0';

test('adds exactly what whole numbers of the smallest unit add up to', () => {
  fc.assert(
    fc.property(fc.array(units, { maxLength: 20 }), (amounts) => {
      const sum = addMoney(...amounts.map(write));
      expect(read(sum)).toBe(amounts.reduce((total, amount) => total + amount, 0n));
      expect(isWellFormed(sum)).toBe(true);
    }),
  );
});

test('compares by amount, however it is written', () => {
  fc.assert(
    fc.property(units, units, (left, right) => {
      const expected = left < right ? -1 : left > right ? 1 : 0;
      expect(compareMoney(write(left), write(right))).toBe(expected);
      expect(compareMoney(parseMoney(write(left)), write(left))).toBe(0);
    }),
  );
});

test('scales by whole numbers, rounded up to the last place', () => {
  const factor = fc.integer({ min: 0, max: 1_000_000 });
  const divisor = fc.integer({ min: 1, max: 1_000_000 });
  fc.assert(
    fc.property(units, factor, divisor, (amount, numerator, denominator) => {
      const scaled = scaleMoney(write(amount), numerator, denominator);
      expect(read(scaled)).toBe(ceilingOf(amount * BigInt(numerator), BigInt(denominator)));
      expect(isWellFormed(scaled)).toBe(true);
    }),
  );
});

test('scales by fractions of up to six places without a float in the sum', () => {
  fc.assert(
    fc.property(positiveUnits, fc.integer({ min: 0, max: 10 ** 9 }), (amount, millionths) => {
      const scaled = scaleMoney(write(amount), millionths / 1e6);
      expect(read(scaled)).toBe(ceilingOf(amount * BigInt(millionths), 1_000_000n));
    }),
  );
});

test('never writes an exponent nor more than eight places', () => {
  for (const [value, written] of [
    [1e-8, '0.00000001'],
    [0.1 + 0.2, '0.3'],
    [1e15, '1000000000000000'],
    [2, '2'],
    ['2.00', '2'],
    ['0.00005', '0.00005'],
    ['-0.00', '0'],
    ['007.10', '7.1'],
  ] as const)
    expect(parseMoney(value)).toBe(written);
  expect(scaleMoney('0.00000001', 1, 1_000_000)).toBe('0.00000001');
  expect(addMoney()).toBe(zero);
});

test.each(['', '1.', '.5', '1e3', '1e-7', '0.000000001', '1,5', ' 1', '1\n', '+1', 'NaN', '0x10', '٣'])(
  'refuses %j as an amount',
  (text) => {
    expect(isMoney(text)).toBe(false);
    expect(() => parseMoney(text)).toThrow(RangeError);
  },
);

test.each([NaN, Infinity, 1e21])('refuses the number %d as an amount', (value) => {
  expect(() => parseMoney(value)).toThrow(RangeError);
});

test('gives back every amount it wrote', () => {
  fc.assert(
    fc.property(units, (amount) => {
      const money = parseMoney(write(amount));
      expect(read(money)).toBe(amount);
      expect(parseMoney(money)).toBe(money);
    }),
  );
});
