import { ulid } from 'ulid';
import type { Model } from '../../src/domain/model';
import { chooseCandidates } from '../../src/domain/routing';
import { makeModel, makeRequest, makeSnapshot } from '../support/generation-data';

const request = makeRequest({ routing: { ...makeRequest().routing, strategy: 'weighted' } });

const weighing = (weights: readonly number[]): Model[] =>
  weights.map((weight, index) => makeModel({ id: `acme/${index}`, weight }));

const orderOf = (models: readonly Model[], seed: string): string[] =>
  chooseCandidates(request, makeSnapshot(models, { seed })).candidates.map(({ model }) => model);

const draws = 2_000;

/** How often each order, or beginning of one, comes out of as many seeds. */
const countOf = (models: readonly Model[], length: number, seedOf: (index: number) => string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (let index = 0; index < draws; index += 1) {
    const order = orderOf(models, seedOf(index)).slice(0, length).join(' ');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  return counts;
};

/** Within five standard deviations of the binomial distribution: one fair draw in two million is further off. */
const expectShare = (count: number, share: number): void => {
  const deviation = Math.sqrt(draws * share * (1 - share));
  expect(Math.abs(count - draws * share)).toBeLessThanOrEqual(5 * deviation);
};

const numbered = (index: number): string => `seed-${index}`;
// by a clock of its own: the same ids in every run
const alike = (index: number): string => `gen_${ulid(1_790_000_000_000 + index).slice(0, 10)}0000000000000000`;

test.each([
  [[1, 1], numbered],
  [[9, 1], numbered],
  [[3, 2, 1], numbered],
  [[3, 2, 1], alike],
  [[0.5, 0.25, 0.25], numbered],
  [[700, 300], numbered],
  [[1_000_000, 250_000], numbered],
  [[0.0004, 0.0001], numbered],
  [[5, 0, 5], numbered],
])('with the weights %j each comes first as often as its share', (weights, seedOf) => {
  const counts = countOf(weighing(weights), 1, seedOf);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  weights.forEach((weight, index) => expectShare(counts.get(`acme/${index}`) ?? 0, weight / sum));
});

test('the fallbacks are drawn by their weights too', () => {
  const weights = [3, 2, 1];
  const counts = countOf(weighing(weights), 2, numbered);
  for (const [first, weight] of weights.entries())
    for (const [second, next] of weights.entries()) {
      if (first === second) continue;
      const share = (weight / 6) * (next / (6 - weight));
      expectShare(counts.get(`acme/${first} acme/${second}`) ?? 0, share);
    }
});

test('a weight that is not set is one', () => {
  const counts = countOf([makeModel({ id: 'acme/0' }), makeModel({ id: 'acme/1', weight: 3 })], 1, numbered);
  expectShare(counts.get('acme/0') ?? 0, 1 / 4);
});

test('a weight of 0 comes last, and of several the priority decides', () => {
  const models = weighing([0, 1, 0, 0.001]).map((model, index) => ({ ...model, priority: index === 2 ? 1 : 100 }));
  for (let index = 0; index < 200; index += 1) {
    const order = orderOf(models, numbered(index));
    expect(order.slice(0, 2).sort()).toEqual(['acme/1', 'acme/3']);
    expect(order.slice(2)).toEqual(['acme/2', 'acme/0']);
  }
});

test('the same seed draws the same, and the reason tells the weight', () => {
  const models = weighing([1, 2.5]);
  const draw = () => chooseCandidates(request, makeSnapshot(models, { seed: 'gen_7' }));
  expect(draw()).toEqual(draw());
  for (const { score, reason, model } of draw().candidates) {
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
    expect(reason).toContain(`drawn with weight ${model === 'acme/1' ? 2.5 : 1}`);
  }
});

test('a named model stays before its fallbacks', () => {
  const named = { ...request, model: 'acme/0', routing: { ...request.routing, allow: ['acme'] } };
  const models = weighing([0, 1, 1]);
  for (let index = 0; index < 50; index += 1) {
    const { candidates } = chooseCandidates(named, makeSnapshot(models, { seed: numbered(index) }));
    expect(candidates[0]?.model).toBe('acme/0');
  }
});
