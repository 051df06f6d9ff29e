import fc from 'fast-check';
import {
  floorEvery,
  giveTurns,
  isTooDear,
  restMs,
  rotations,
  sweepMs,
  type Gauge,
  type Given,
  type Key,
  type Line,
  type Round,
  type Waiting,
} from '../../src/domain/turns';

const now = new Date('2026-11-21T12:00:00Z');
const at = (ms: number): Date => new Date(now.getTime() + ms);

const makeTurn = (overrides: Partial<Waiting> = {}): Waiting => ({
  generationId: 'gen_1',
  number: 1,
  model: 'acme/clip',
  priority: 1,
  tag: 1,
  since: at(-60_000),
  tokens: 0,
  costUsd: null,
  avoid: null,
  ...overrides,
});

const makeTurns = (count: number, overrides: (index: number) => Partial<Waiting> = () => ({})): Waiting[] =>
  Array.from({ length: count }, (_none, index) =>
    makeTurn({ generationId: `gen_${String(index).padStart(5, '0')}`, tag: index, ...overrides(index) }),
  );

const makeKey = (alias: string, overrides: Partial<Key> = {}): Key => ({
  alias,
  priority: 100,
  weight: 1,
  pausedUntil: null,
  lastUsedAt: null,
  gauges: [],
  gates: [],
  ...overrides,
});

const slots = (most: number, used = 0): Gauge => ({ kind: 'jobs_in_flight', model: null, most, used, freesAt: null });
const tokensPerMinute = (most: number, used = 0): Gauge => ({
  ...{ kind: 'tokens_per_minute', model: null, most, used },
  freesAt: used === 0 ? null : at(30_000),
});

const makeLine = (overrides: Partial<Line> = {}): Line => ({
  ...{ now, waiting: [], keys: [], rotation: 'round_robin', given: 0, draw: () => 0.5 },
  ...overrides,
});

const aliasesOf = ({ given }: Round): string[] => given.map(({ alias }) => alias);
const idsOf = ({ given }: Round): string[] => given.map(({ turn }) => turn.generationId);
const countOf = (things: string[], thing: string): number => things.filter((other) => other === thing).length;

const models = ['acme/clip', 'acme/film', 'acme/song'];

const anyWaiting: fc.Arbitrary<Waiting[]> = fc
  .array(
    fc.record({
      model: fc.constantFrom(...models),
      priority: fc.integer({ min: 0, max: 2 }),
      tag: fc.integer({ min: 0, max: 6 }),
      since: fc.integer({ min: -9, max: 0 }).map((seconds) => at(seconds * 1000)),
      tokens: fc.integer({ min: 0, max: 12 }),
      costUsd: fc.option(fc.integer({ min: 0, max: 4 })),
      avoid: fc.option(fc.constantFrom('k0', 'k1', 'gone')),
    }),
    { maxLength: 25 },
  )
  .map((turns) => turns.map((turn, index) => ({ ...turn, generationId: `gen_${index % 20}`, number: index })));

const anyGauge: fc.Arbitrary<Gauge> = fc.record({
  kind: fc.constantFrom(
    'jobs_in_flight' as const,
    'requests_per_minute' as const,
    'tokens_per_minute' as const,
    'spend_per_month' as const,
  ),
  model: fc.option(fc.constantFrom(...models)),
  most: fc.integer({ min: 1, max: 10 }),
  used: fc.integer({ min: 0, max: 11 }),
  freesAt: fc.option(fc.integer({ min: -1_000, max: 20_000 }).map(at)),
});

const anyTime = fc.option(fc.constantFrom(-5_000, 0, 1, 3_000, 600_000).map(at));

const anyKeys: fc.Arbitrary<Key[]> = fc
  .array(
    fc.record({
      priority: fc.integer({ min: 1, max: 3 }),
      weight: fc.constantFrom(0, 1, 3),
      pausedUntil: anyTime,
      lastUsedAt: fc.option(fc.integer({ min: -3, max: 0 }).map(at)),
      gauges: fc.uniqueArray(anyGauge, { maxLength: 4, selector: ({ kind, model }) => `${kind} ${model}` }),
      gates: fc.uniqueArray(
        fc.record({ model: fc.constantFrom(...models), until: fc.constantFrom(-1_000, 0, 1, 4_000).map(at) }),
        { maxLength: 2, selector: ({ model }) => model },
      ),
    }),
    { maxLength: 4 },
  )
  .map((keys) => keys.map((key, index) => ({ ...key, alias: `k${index}` })));

const anyLine: fc.Arbitrary<Line> = fc
  .record({
    waiting: anyWaiting,
    keys: anyKeys,
    rotation: fc.constantFrom(...rotations),
    given: fc.integer({ min: 0, max: 40 }),
    draws: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 7 }),
  })
  .map(({ draws, ...line }) => {
    let drawn = 0;
    return { ...line, now, draw: () => draws[drawn++ % draws.length] as number };
  });

/** Written apart from the product: what a turn takes of a limit. */
const takes = (gauge: Gauge, turn: Waiting): number => {
  if (gauge.model !== null && gauge.model !== turn.model) return 0;
  if (gauge.kind === 'tokens_per_minute') return turn.tokens;
  return gauge.kind === 'spend_per_month' ? (turn.costUsd ?? 0) : 1;
};

/** What stands on a gauge when these turns were given with its key. */
const usedAfter = (key: Key, gauge: Gauge, given: readonly Given[]): number =>
  given.filter(({ alias }) => alias === key.alias).reduce((sum, { turn }) => sum + takes(gauge, turn), gauge.used);

const fits = (key: Key, turn: Waiting, given: readonly Given[]): boolean => {
  if (key.pausedUntil !== null && key.pausedUntil > now) return false;
  const gate = key.gates.find(({ model }) => model === turn.model);
  const isProbed = given.some((one) => one.alias === key.alias && one.turn.model === turn.model);
  if (gate && (gate.until > now || isProbed)) return false;
  return key.gauges.every((gauge) => {
    if (gauge.model !== null && gauge.model !== turn.model) return true;
    const used = usedAfter(key, gauge, given);
    return used + takes(gauge, turn) <= gauge.most || (gauge.kind === 'tokens_per_minute' && used === 0);
  });
};

const older = (left: Waiting, right: Waiting): boolean => {
  const ages = [left, right].map(({ since }) => since.getTime()) as [number, number];
  if (ages[0] !== ages[1]) return ages[0] < ages[1];
  if (left.generationId !== right.generationId) return left.generationId.localeCompare(right.generationId) < 0;
  return left.number < right.number;
};

const earlier = (left: Waiting, right: Waiting): boolean => {
  if (left.priority !== right.priority) return left.priority < right.priority;
  return left.tag === right.tag ? older(left, right) : left.tag < right.tag;
};

/** The order that holds for the turn after so many. */
const orderAfter = (line: Line, count: number): ((left: Waiting, right: Waiting) => boolean) =>
  (line.given + count + 1) % floorEvery === 0 ? older : earlier;

const forEveryRound = (check: (line: Line, round: Round) => void): void =>
  fc.assert(
    fc.property(anyLine, (line) => check(line, giveTurns(line))),
    { numRuns: 500 },
  );

/** At the latest when all these turns are given, no key may spend so much any more. */
const mayBeTooDear = (line: Line, turn: Waiting, given: readonly Given[]): boolean =>
  line.keys.every((key) =>
    key.gauges.some(
      (gauge) => gauge.kind === 'spend_per_month' && usedAfter(key, gauge, given) + takes(gauge, turn) > gauge.most,
    ),
  );

const leftOf = (line: Line, { given }: Round): Waiting[] =>
  line.waiting.filter((turn) => !given.some((one) => one.turn === turn));

describe('a round, for any line', () => {
  test('gives each turn once, with a key there is', () =>
    forEveryRound((line, { given }) => {
      expect(new Set(given.map(({ turn }) => turn)).size).toBe(given.length);
      for (const { turn, alias } of given) {
        expect(line.waiting).toContain(turn);
        expect(line.keys.map((key) => key.alias)).toContain(alias);
      }
    }));

  test('overshoots no limit; tokens beyond the whole limit go when nothing else is counted', () =>
    forEveryRound((line, { given }) => {
      given.forEach(({ turn, alias }, index) => {
        const key = line.keys.find((one) => one.alias === alias) as Key;
        for (const gauge of key.gauges.filter(({ model }) => model === null || model === turn.model)) {
          const used = usedAfter(key, gauge, given.slice(0, index));
          const isAlone = gauge.kind === 'tokens_per_minute' && used === 0;
          if (!isAlone) expect(used + takes(gauge, turn)).toBeLessThanOrEqual(gauge.most);
        }
      });
    }));

  test('uses no key that is paused', () =>
    forEveryRound((line, round) => {
      const paused = line.keys.filter(({ pausedUntil }) => pausedUntil !== null && pausedUntil > now);
      for (const { alias } of paused) expect(aliasesOf(round)).not.toContain(alias);
    }));

  test('tries an open breaker with one probe, when its time has come', () =>
    forEveryRound((line, { given }) => {
      for (const key of line.keys)
        for (const model of models) {
          const gate = key.gates.find((one) => one.model === model);
          const tried = given.filter(({ alias, turn }) => alias === key.alias && turn.model === model);
          for (const { isProbe } of tried) expect(isProbe).toBe(gate !== undefined);
          if (gate) expect(tried.length).toBeLessThanOrEqual(gate.until > now ? 0 : 1);
        }
    }));

  test('goes by the order, every tenth by age; who is overtaken is of a model that nobody can take', () =>
    forEveryRound((line, { given }) => {
      given.forEach(({ turn }, index) => {
        const isBefore = orderAfter(line, index);
        const later = new Set(given.slice(index).map((one) => one.turn.model));
        const done = new Set(given.slice(0, index).map((one) => one.turn));
        const overtaken = line.waiting.filter((one) => !done.has(one) && isBefore(one, turn));
        for (const other of overtaken.filter((one) => !mayBeTooDear(line, one, given)))
          expect(later).not.toContain(other.model);
      });
    }));

  test('leaves nobody who is next in its model and fits', () =>
    forEveryRound((line, round) => {
      const left = leftOf(line, round);
      const orders = round.given.concat([{} as Given]).map((_one, index) => orderAfter(line, index));
      for (const model of new Set(left.map((turn) => turn.model))) {
        const own = left.filter((turn) => turn.model === model);
        const isNext = (turn: Waiting): boolean =>
          orders.some((isBefore) =>
            own.filter((one) => isBefore(one, turn)).every((one) => mayBeTooDear(line, one, round.given)),
          );
        const isStuck = (turn: Waiting): boolean => !line.keys.some((key) => fits(key, turn, round.given));
        expect(own.some((turn) => isNext(turn) && isStuck(turn))).toBe(true);
      }
    }));

  test('comes back to the key that refused only where no other has room', () =>
    forEveryRound((line, { given }) => {
      given.forEach(({ turn, alias }, index) => {
        if (alias !== turn.avoid) return;
        const others = line.keys.filter((key) => key.alias !== alias);
        expect(others.filter((key) => fits(key, turn, given.slice(0, index)))).toEqual([]);
      });
    }));

  test('says when to look again: soon, not at once, and never where nobody waits', () =>
    forEveryRound((line, round) => {
      const isEmpty = leftOf(line, round).length === 0;
      expect(round.nextAt === null).toBe(isEmpty);
      if (isEmpty) return;
      expect(round.nextAt?.getTime()).toBeGreaterThan(now.getTime());
      expect(round.nextAt?.getTime()).toBeLessThanOrEqual(now.getTime() + sweepMs);
    }));

  test('decides the same whatever the order it is told of those who wait', () =>
    fc.assert(
      fc.property(anyLine, (line) => {
        const turned = giveTurns({ ...line, waiting: [...line.waiting].reverse(), draw: () => 0.5 });
        expect(turned).toEqual(giveTurns({ ...line, draw: () => 0.5 }));
      }),
    ));
});

test('the look after a pause, or after a window frees, does not wait for the sweep', () => {
  const paused = makeKey('paused', { pausedUntil: at(1_200) });
  const full = makeKey('full', {
    gauges: [{ kind: 'requests_per_minute', model: null, most: 3, used: 3, freesAt: at(2_000) }],
  });
  const waiting = [makeTurn()];
  expect(giveTurns(makeLine({ waiting, keys: [full, paused] })).nextAt).toEqual(at(1_200));
  expect(giveTurns(makeLine({ waiting, keys: [full] })).nextAt).toEqual(at(2_000));
  expect(giveTurns(makeLine({ waiting, keys: [makeKey('busy', { gauges: [slots(1, 1)] })] })).nextAt).toEqual(
    at(5_000),
  );
});

test('a model that no key can take does not hold up the others', () => {
  const gauges: Gauge[] = [{ ...slots(1, 1), model: 'acme/film' }];
  const waiting = makeTurns(6, (index) => ({ model: index < 3 ? 'acme/film' : 'acme/clip' }));
  const round = giveTurns(makeLine({ waiting, keys: [makeKey('main', { gauges })] }));
  expect(idsOf(round)).toEqual(['gen_00003', 'gen_00004', 'gen_00005']);
});

test('low priority is served all the same, every tenth turn, however many are more urgent', () => {
  const waiting = [
    ...makeTurns(40, () => ({ priority: 0 })),
    ...makeTurns(2, (index) => ({ generationId: `low_${index}`, priority: 2, since: at(-90_000 + index) })),
  ];
  const order = idsOf(giveTurns(makeLine({ waiting, keys: [makeKey('main')] })));
  expect([order.indexOf('low_0'), order.indexOf('low_1')]).toEqual([9, 19]);
});

test('the tenth turn is counted over rounds', () => {
  const low = makeTurn({ generationId: 'low', priority: 2, since: at(-90_000) });
  const keys = [makeKey('main', { gauges: [slots(1)] })];
  const servedAfter = (given: number): string[] => {
    const urgent = makeTurns(3, () => ({ priority: 0 }));
    return idsOf(giveTurns(makeLine({ waiting: [...urgent, low], keys, given })));
  };
  expect(servedAfter(8)).toEqual(['gen_00000']);
  expect(servedAfter(9)).toEqual(['low']);
});

test('more tokens than a key ever has go when nothing else is counted, and nothing goes beside them', () => {
  const waiting = makeTurns(3, (index) => ({ tokens: index === 0 ? 500 : 10 }));
  const round = giveTurns(makeLine({ waiting, keys: [makeKey('main', { gauges: [tokensPerMinute(100)] })] }));
  expect(idsOf(round)).toEqual(['gen_00000']);
  const busy = makeLine({ waiting, keys: [makeKey('main', { gauges: [tokensPerMinute(100, 1)] })] });
  expect(giveTurns(busy)).toMatchObject({ given: [], nextAt: at(sweepMs) });
});

test('one that costs more than is left of the month does not hold up those that cost less', () => {
  const month = (used: number): Gauge => ({ kind: 'spend_per_month', model: null, most: 10, used, freesAt: at(1e9) });
  const waiting = makeTurns(4, (index) => ({ costUsd: index === 0 ? 5 : 1 }));
  const keys = [makeKey('a', { gauges: [month(8)] }), makeKey('b', { gauges: [month(9.5)] })];
  expect(isTooDear(keys, waiting[0] as Waiting)).toBe(true);
  expect(isTooDear([...keys, makeKey('free')], waiting[0] as Waiting)).toBe(false);
  expect(idsOf(giveTurns(makeLine({ waiting, keys })))).toEqual(['gen_00001', 'gen_00002']);
});

test('keys rest until the first of them is ready again, by its pause and by the breaker of the model', () => {
  const paused = makeKey('a', { pausedUntil: at(9_000) });
  const open = makeKey('b', { gates: [{ model: 'acme/clip', until: at(4_000) }] });
  expect(restMs([paused, open], 'acme/clip', now)).toBe(4_000);
  expect(restMs([paused, open], 'acme/film', now)).toBe(0);
  expect(restMs([paused], 'acme/film', now)).toBe(9_000);
});

/** Tags as an attempt gets them when it comes in line: a share after its tenant's last one. */
const lineUp = (tenant: string, count: number, { weight, from }: { weight: number; from: number }): Waiting[] =>
  makeTurns(count, (index) => ({
    generationId: `${tenant}_${String(index).padStart(5, '0')}`,
    tag: from + (index + 1) / weight,
  }));

describe('tenants', () => {
  test.each([
    [1, [1, 1]],
    [3, [1, 3]],
  ])('with a crowd before it, one of weight %d is served in turn with it', (weight, [ofA, ofB]) => {
    // seventeen of the crowd were served before the other tenant came
    const crowd = lineUp('a', 2_000, { weight: 1, from: 0 }).slice(17);
    const comer = lineUp('b', 60, { weight, from: 17 }).map((turn) => ({ ...turn, since: at(-10_000) }));
    const keys = [makeKey('main', { gauges: [slots(80)] })];
    const order = idsOf(giveTurns(makeLine({ waiting: [...crowd.slice(0, 100), ...comer], keys, given: 17 })));
    const share = (ofB as number) / ((ofA as number) + (ofB as number));
    order.forEach((_id, index) => {
      const served = order.slice(0, index + 1).filter((id) => id.startsWith('b')).length;
      // every tenth turn goes to the oldest, who is of the crowd
      expect(Math.abs(served - (index + 1) * share)).toBeLessThanOrEqual(2.5);
    });
  });
});

describe('keys', () => {
  const three = ['a', 'b', 'c'].map((alias) => makeKey(alias));

  test('in rotation are used equally often, the one longest unused first', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 30 }),
        fc.array(fc.option(fc.integer({ min: -4, max: 0 })), { minLength: 5, maxLength: 5 }),
        (count, turns, uses) => {
          const keys = Array.from({ length: count }, (_none, index) =>
            makeKey(`k${index}`, { lastUsedAt: uses[index] == null ? null : at(uses[index]) }),
          );
          const used = aliasesOf(giveTurns(makeLine({ waiting: makeTurns(turns), keys })));
          const counts = keys.map(({ alias }) => countOf(used, alias));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    ));

  test('in rotation begin with the one that was used longest ago', () => {
    const keys = three.map((key, index) => ({ ...key, lastUsedAt: at([-1_000, -9_000, -1_000][index] as number) }));
    expect(aliasesOf(giveTurns(makeLine({ waiting: makeTurns(3), keys })))).toEqual(['b', 'a', 'c']);
  });

  test('are filled evenly where the least used one is next', () => {
    const keys = [slots(4, 3), slots(8, 2), slots(8)].map((gauge, index) =>
      makeKey('abc'[index] as string, { gauges: [gauge] }),
    );
    const used = aliasesOf(giveTurns(makeLine({ waiting: makeTurns(8), keys, rotation: 'least_used' })));
    expect(['a', 'b', 'c'].map((alias) => countOf(used, alias))).toEqual([0, 3, 5]);
  });

  test('of lower priority are used when the others are full', () => {
    const keys = [makeKey('spare', { priority: 2 }), makeKey('main', { priority: 1, gauges: [slots(2)] })];
    const used = aliasesOf(giveTurns(makeLine({ waiting: makeTurns(4), keys, rotation: 'priority' })));
    expect(used).toEqual(['main', 'main', 'spare', 'spare']);
  });

  test('drawn at random come as often as they weigh, and never where they weigh nothing', () => {
    let state = 1;
    const draw = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const keys = [1, 3, 0].map((weight, index) => makeKey('abc'[index] as string, { weight }));
    const rounds = Array.from({ length: 100 }, () =>
      aliasesOf(giveTurns(makeLine({ waiting: makeTurns(40), keys, rotation: 'random', draw }))),
    ).flat();
    expect(countOf(rounds, 'c')).toBe(0);
    expect(countOf(rounds, 'b') / rounds.length).toBeGreaterThan(0.72);
    expect(countOf(rounds, 'b') / rounds.length).toBeLessThan(0.78);
  });

  test('that weigh nothing are drawn where no other has room', () => {
    const keys = [makeKey('a', { gauges: [slots(1)] }), makeKey('b', { weight: 0 })];
    const round = giveTurns(makeLine({ waiting: makeTurns(3), keys, rotation: 'random', draw: () => 0.9 }));
    expect(aliasesOf(round)).toEqual(['a', 'b', 'b']);
  });

  test('that refused are avoided, but for want of another', () => {
    const waiting = [makeTurn({ avoid: 'a' })];
    expect(aliasesOf(giveTurns(makeLine({ waiting, keys: three })))).toEqual(['b']);
    expect(aliasesOf(giveTurns(makeLine({ waiting, keys: [makeKey('a')] })))).toEqual(['a']);
  });
});
