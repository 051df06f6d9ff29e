import { createHash } from 'node:crypto';

type Colour = readonly [number, number, number];

type Shape = {
  x: number;
  y: number;
  radius: number;
  square: boolean;
};

/** An image as a function of the unit square: any size and any encoding come from the same 256 colours. */
export type Picture = {
  /** Distinguishes two pictures that look alike. */
  mark: string;
  palette: readonly Colour[];
  colourAt: (x: number, y: number) => number;
};

// Drawn once a pixel; in a test's VM every look at a global is slow, a local one is not.
const { abs, floor, max, min } = Math;

const gradientColours = 248;

const mix = (from: Colour, to: Colour, share: number): Colour => [
  Math.round(from[0] + (to[0] - from[0]) * share),
  Math.round(from[1] + (to[1] - from[1]) * share),
  Math.round(from[2] + (to[2] - from[2]) * share),
];

const createPalette = (byteAt: (index: number) => number): Colour[] => {
  const colour = (index: number): Colour => [byteAt(index), byteAt(index + 1), byteAt(index + 2)];
  const gradient = Array.from({ length: gradientColours }, (_, index) =>
    mix(colour(0), colour(3), index / gradientColours),
  );
  const shapes = Array.from({ length: 256 - gradientColours }, (_, index) => colour(6 + index * 2));
  return [...gradient, ...shapes];
};

const createShapes = (byteAt: (index: number) => number): Shape[] =>
  Array.from({ length: 5 }, (_, index) => ({
    x: byteAt(12 + index * 4) / 255,
    y: byteAt(13 + index * 4) / 255,
    radius: 0.05 + byteAt(14 + index * 4) / 1200,
    square: byteAt(15 + index * 4) % 2 === 0,
  }));

const covers = (shape: Shape, x: number, y: number): boolean => {
  const dx = abs(x - shape.x);
  const dy = abs(y - shape.y);
  return shape.square ? max(dx, dy) < shape.radius : dx * dx + dy * dy < shape.radius * shape.radius;
};

export const createPicture = (seed: string, black = false): Picture => {
  const hash = createHash('sha256').update(seed).digest();
  const byteAt = (index: number): number => hash[index % hash.length] ?? 0;
  const shapes = createShapes(byteAt);
  const slant = byteAt(31) / 255;
  const colourAt = (x: number, y: number): number => {
    const shape = shapes.findIndex((candidate) => covers(candidate, x, y));
    if (shape >= 0) return gradientColours + shape;
    return min(gradientColours - 1, floor((x * slant + y * (1 - slant)) * gradientColours));
  };
  const palette = black ? Array.from({ length: 256 }, (): Colour => [0, 0, 0]) : createPalette(byteAt);
  return { mark: hash.toString('hex'), palette, colourAt };
};
