/** Draws that can be repeated: the same seed and purpose give the same ones, whatever else draws. */
export type Random = {
  /** From 0 up to 1. */
  next(): number;
  /** Both ends included. */
  between(lowest: number, highest: number): number;
  chance(probability: number): boolean;
  pick<Thing>(things: readonly Thing[]): Thing;
  pickWeighted<Thing extends { weight: number }>(things: readonly Thing[]): Thing;
};

const hash = (text: string): number => {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619) >>> 0;
  return value;
};

/** Mulberry32: small, and good enough to spread kills. */
const createGenerator = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const required = <Thing>(thing: Thing | undefined): Thing => {
  if (thing === undefined) throw new RangeError('nothing to pick from');
  return thing;
};

export const createRandom = (seed: number, purpose: string): Random => {
  const next = createGenerator(hash(`${seed}/${purpose}`));
  return {
    next,
    between: (lowest, highest) => lowest + Math.floor(next() * (highest - lowest + 1)),
    chance: (probability) => next() < probability,
    pick: (things) => required(things[Math.floor(next() * things.length)]),
    pickWeighted: (things) => {
      let left = next() * things.reduce((sum, { weight }) => sum + weight, 0);
      return required(things.find(({ weight }) => (left -= weight) < 0) ?? things.at(-1));
    },
  };
};
