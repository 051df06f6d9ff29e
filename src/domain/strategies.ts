import { drawFrom, hashOf } from './draw';
import type { Strategy } from './generation';
import type { Model } from './model';
import type { Money } from './money';
import type { ModelFigures, Snapshot } from './snapshot';
import { secondsOf } from './waits';

/** A model in the running. */
export type Runner = {
  model: Model;
  /** The most it may cost; `null`: nobody knows. */
  costUsd: Money | null;
  /** Only those of the same place are compared by turns: the others stand before or behind them anyway. */
  place: string;
};

/** 0 to 1, the larger the better, and the figures it comes from. */
export type Standing = { score: number; words: string };

type Judge = (runner: Runner) => Standing;

/** How strongly what is usual counts beside what was measured, in attempts. */
const priorAttempts = { time: 5, success: 10 };

/** Of a model that nobody has tried. */
const usualSuccessRate = 0.9;

/** 1 for the smallest of `values`, 0 for the largest, on a line between; what is not known counts as the largest. */
const lowIsGood = (values: readonly (number | null)[]): ((value: number | null) => number) => {
  const known = values.filter((value) => value !== null);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return (value) => {
    if (value === null) return 0;
    return most === least ? 1 : (most - value) / (most - least);
  };
};

const numberOf = ({ costUsd }: Runner): number | null => (costUsd === null ? null : Number(costUsd));

type Weights = { cost: number; quality: number; speed: number };

const judgeByWeights = (field: readonly Runner[], { cost, quality, speed }: Weights): ((runner: Runner) => number) => {
  const byCost = lowIsGood(field.map(numberOf));
  const bySeconds = lowIsGood(field.map(({ model }) => model.typicalSeconds));
  return (runner) =>
    cost * byCost(numberOf(runner)) +
    quality * ((runner.model.qualityTier - 1) / 2) +
    speed * bySeconds(runner.model.typicalSeconds);
};

const by =
  (weights: Partial<Weights>, words: string) =>
  (field: readonly Runner[]): Judge => {
    const scoreOf = judgeByWeights(field, { cost: 0, quality: 0, speed: 0, ...weights });
    return (runner) => ({ score: scoreOf(runner), words });
  };

/** An intricate prompt is worth a better model: a quarter at 1, a little over half at 5. */
const balance = (complexity: number | null): Weights => {
  const quality = 0.25 + 0.075 * ((complexity ?? 2) - 1);
  return { cost: (1 - quality) * 0.6, quality, speed: (1 - quality) * 0.4 };
};

const judgeBalance = (field: readonly Runner[], { complexity }: Snapshot): Judge => {
  const weights = balance(complexity);
  const [cost, quality, speed] = [weights.cost, weights.quality, weights.speed].map((weight) => weight.toFixed(2));
  return by(weights, `cost weighs ${cost}, quality ${quality}, speed ${speed}`)(field);
};

const succeededOf = ({ successRate, samples }: ModelFigures): number => Math.round(successRate * samples);

/** With few attempts close to what is usual: one failure does not condemn a model, one success does not make it the best. */
export const expectedSuccess = (figures: ModelFigures | undefined): number => {
  const usual = usualSuccessRate * priorAttempts.success;
  const [succeeded, samples] = figures ? [figures.successRate * figures.samples, figures.samples] : [0, 0];
  return (succeeded + usual) / (samples + priorAttempts.success);
};

export const expectedMs = ({ typicalSeconds }: Model, figures: ModelFigures | undefined): number => {
  const usualMs = typicalSeconds * 1000;
  if (figures === undefined || figures.ewmaMs === null) return usualMs;
  const timed = succeededOf(figures);
  return (timed * figures.ewmaMs + priorAttempts.time * usualMs) / (timed + priorAttempts.time);
};

/** Whole percents first; within one, who waits less. */
const judgeAvailability = (_field: readonly Runner[], { figures, capacity }: Snapshot): Judge => {
  const halfWayMs = 60_000;
  return ({ model: { id } }) => {
    const seen = figures.get(id);
    const percent = Math.round(expectedSuccess(seen) * 100);
    const waitMs = capacity.get(id)?.waitMs ?? 0;
    const sooner = Number.isFinite(waitMs) ? halfWayMs / (halfWayMs + waitMs) : 0;
    const tried = seen ? `${succeededOf(seen)} of its last ${seen.samples} attempts succeeded` : 'not tried lately';
    return { score: (percent + 0.99 * sooner) / 101, words: `${tried}: ${percent} % expected` };
  };
};

const judgeLatency = (field: readonly Runner[], { figures }: Snapshot): Judge => {
  const expectedOf = ({ model }: Runner): number => expectedMs(model, figures.get(model.id));
  const byTime = lowIsGood(field.map(expectedOf));
  return (runner) => {
    const seen = figures.get(runner.model.id);
    const measured =
      seen && seen.ewmaMs !== null
        ? `${secondsOf(seen.ewmaMs)} of late (95 % within ${secondsOf(seen.p95Ms ?? seen.ewmaMs)})`
        : 'not measured lately';
    const expected = expectedOf(runner);
    return { score: byTime(expected), words: `${measured}: ${secondsOf(expected)} expected` };
  };
};

/**
 * All of a place come first once in each round. A round begins at another one than the round before: where choices of several
 * kinds draw in a fixed pattern, each would else always meet the same model.
 */
const judgeTurns = (field: readonly Runner[], { turn }: Snapshot): Judge => {
  const idsAt = (place: string): string[] =>
    field.flatMap((runner) => (runner.place === place ? [runner.model.id] : [])).sort();
  return ({ model, place }) => {
    const ids = idsAt(place);
    const { length } = ids;
    const first = (turn + hashOf(`round ${Math.floor(turn / length)}`)) % length;
    const behind = (ids.indexOf(model.id) - first + length) % length;
    return { score: 1 - behind / length, words: `choice ${turn} of those that take turns` };
  };
};

/**
 * Each model comes first as often as its share of the weights (Efraimidis and Spirakis, 2006); their order, written so
 * that neither large nor small weights run together.
 */
const judgeDraw =
  (_field: readonly Runner[], { seed }: Snapshot): Judge =>
  ({ model: { id, weight = 1 } }) => ({
    score: weight === 0 ? 0 : 1 / (1 - Math.log(drawFrom(`${seed}/${id}`)) / weight),
    words: `drawn with weight ${weight}`,
  });

type Rule = {
  judge: (field: readonly Runner[], snapshot: Snapshot) => Judge;
  /** Why one stands behind another that the strategy likes better. */
  behind: string;
};

/** What each strategy orders by. */
export const strategyRules: Readonly<Record<Strategy, Rule>> = {
  balanced: { judge: judgeBalance, behind: 'it scores lower' },
  cost: { judge: by({ cost: 1 }, 'the cheapest first'), behind: 'it costs more' },
  speed: { judge: by({ speed: 1 }, 'the one that usually is fastest first'), behind: 'it usually takes longer' },
  quality: { judge: by({ quality: 1 }, 'the highest tier first'), behind: 'its tier is lower' },
  availability: { judge: judgeAvailability, behind: 'it is less sure to succeed, or waits longer' },
  round_robin: { judge: judgeTurns, behind: 'its turn comes later' },
  weighted: { judge: judgeDraw, behind: 'it was drawn later' },
  least_latency: { judge: judgeLatency, behind: 'it is expected to take longer' },
};
