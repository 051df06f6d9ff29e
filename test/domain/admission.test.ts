import type { GenerationRequest } from '../../src/domain/generation';
import { SureshotError } from '../../src/domain/failure';
import { admit } from '../../src/domain/admission';
import type { Snapshot } from '../../src/domain/routing';
import { catalogue } from '../../src/providers/catalogue';
import { makeModel, makeRequest, makeSnapshot as snapshot } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const refusal = (overrides: Partial<GenerationRequest>, from: Snapshot): SureshotError => {
  try {
    admit(makeRequest(overrides), from);
  } catch (error) {
    if (error instanceof SureshotError) return error;
    throw error;
  }
  throw new Error('it was admitted');
};

const routing = makeRequest().routing;
const unpriced = makeModel({
  id: 'acme/unpriced',
  price: { source: 'made up', readOn: '2026-11-21', per: 'second', rates: [{ when: { quality: 'low' }, usd: '1' }] },
});
const perSecond = (usd: string) =>
  ({ source: 'made up', readOn: '2026-11-21', per: 'second', rates: [{ usd }] }) as const;
const retired = makeModel({ id: 'acme/old', lifecycle: { retiredOn: '2026-01-31', successor: 'acme/clip' } });

test('an unknown model is told with the ids of its medium', () => {
  const error = refusal({ model: 'nobody/nothing' }, snapshot(catalogue));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations[0]?.pointer).toBe('/model');
  expect(error.violations[0]?.detail).toContain('fal/veo3.1');
  expect(error.violations[0]?.detail).not.toContain('fal/flux/dev');
});

test('a model of another medium is unknown', () => {
  expect(refusal({ model: 'fal/flux/dev' }, snapshot(catalogue)).violations[0]?.pointer).toBe('/model');
});

test('a provider that has no such model is told as the wrong field', () => {
  const error = refusal({ provider: 'elevenlabs' }, snapshot(catalogue));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations[0]?.pointer).toBe('/provider');
  expect(error.violations[0]?.detail).toContain('fal');
});

test('a retired model says since when and what to use', () => {
  const error = refusal({ model: 'acme/old' }, snapshot([retired, makeModel()]));
  expect(error.code).toBe('caller_model_retired');
  expect(error.message).toContain('2026-01-31');
  expect(error.violations).toEqual([{ pointer: '/model', detail: 'retired on 2026-01-31; use acme/clip' }]);
});

test('a family whose every model is retired is retired', () => {
  const twin = { ...retired, id: 'acme/older' };
  expect(refusal({ model: 'clip' }, snapshot([retired, twin])).code).toBe('caller_model_retired');
});

test('a retired model that could have done it does not hide which field stands in the way of the others', () => {
  const long = { ...retired, capabilities: { ...retired.capabilities, durationsSeconds: [60] } };
  const error = refusal({ input: makeInput({ durationSeconds: 60 }) }, snapshot([long, makeModel()]));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations).toEqual([
    { pointer: '/input/durationSeconds', detail: 'must be one of 4, 8 (model acme/clip)' },
  ]);
});

test('without any key it is a lack of capacity, with the names of the providers', () => {
  const error = refusal({}, snapshot(catalogue, { configured: new Set(['mock']) }));
  expect(error.code).toBe('policy_no_capacity');
  expect(error.message).toContain('fal');
  expect(error.message).toContain('runway');
});

test('what no model can do is told field by field, the closest model first', () => {
  const narrow = makeModel({ id: 'acme/narrow', capabilities: { from: ['text'], promptCharacters: 100 } });
  const error = refusal({ input: makeInput({ durationSeconds: 5, count: 2 }) }, snapshot([narrow, makeModel()]));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations.map(({ pointer }) => pointer)).toContain('/input/durationSeconds');
  expect(error.violations[0]?.detail).toMatch(/must be|is not/);
});

test('at most twenty violations are told', () => {
  const many = Array.from({ length: 30 }, (_, index) => makeModel({ id: `acme/${index}` }));
  expect(refusal({ input: makeInput({ durationSeconds: 5 }) }, snapshot(many)).violations).toHaveLength(20);
});

const reel = makeModel({ id: 'acme/reel', price: perSecond('0.02') });

test.each([
  ['deny', { deny: ['acme'] }, 'rules out all that could: acme/clip, acme/reel'],
  ['deny', { deny: ['acme/clip', 'acme/reel'], allow: ['acme'] }, 'rules out all that could: acme/clip, acme/reel'],
  ['allow', { allow: ['nobody'] }, 'must name one of acme/clip, acme/reel'],
  ['allow', { allow: ['acme/clip'], deny: ['acme/clip'] }, 'must name one of acme/reel'],
  [
    'maxCostUsd',
    { maxCostUsd: '0.01' },
    'must be at least 0.08, which the cheapest of acme/clip, acme/reel may cost; is 0.01',
  ],
  [
    'maxCostUsd',
    { maxCostUsd: '0.1', deny: ['acme/reel'] },
    'must be at least 0.4, which the cheapest of acme/clip may cost; is 0.1',
  ],
])('routing.%s that rules everything out is told as such: %j', (rule, rules, detail) => {
  const error = refusal({ routing: { ...routing, ...rules } }, snapshot([makeModel(), reel]));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations).toEqual([{ pointer: `/routing/${rule}`, detail }]);
});

test('allow does not rule out a model that is named, deny and maxCostUsd do', () => {
  const named = (rules: Partial<typeof routing>) => ({ model: 'acme/clip', routing: { ...routing, ...rules } });
  const from = snapshot([makeModel(), reel]);
  expect(admit(makeRequest(named({ allow: ['acme/reel'] })), from).candidates[0]?.model).toBe('acme/clip');
  expect(refusal(named({ deny: ['acme/clip'] }), from).violations[0]?.pointer).toBe('/routing/deny');
  expect(refusal(named({ maxCostUsd: '0.1' }), from).violations[0]?.pointer).toBe('/routing/maxCostUsd');
});

describe('what the configuration switched off', () => {
  const off = makeModel({ enabled: false });

  test('is a lack of capacity, with the names', () => {
    for (const request of [{}, { model: 'acme/clip' }, { input: makeInput({ durationSeconds: 60 }) }]) {
      const error = refusal(request, snapshot([off]));
      expect(error).toMatchObject({ code: 'policy_no_capacity', message: expect.stringContaining('acme/clip') });
    }
  });

  test('does not hide which field stands in the way of the others', () => {
    const narrow = { ...reel, capabilities: { ...reel.capabilities, durationsSeconds: [2] } };
    const error = refusal({ input: makeInput({ durationSeconds: 8 }) }, snapshot([off, narrow]));
    expect(error.violations).toEqual([
      { pointer: '/input/durationSeconds', detail: 'must be one of 2 (model acme/reel)' },
    ]);
  });

  test('does not count among what a price cap leaves', () => {
    const request = { routing: { ...routing, maxCostUsd: '0.01' } };
    const error = refusal(request, snapshot([{ ...reel, enabled: false }, makeModel()]));
    expect(error.violations[0]?.detail).toBe('must be at least 0.4, which the cheapest of acme/clip may cost; is 0.01');
  });
});

test('an unknown price is refused as such, never taken for nothing', () => {
  expect(refusal({}, snapshot([unpriced])).code).toBe('policy_price_unknown');
});

test('a price is unknown also where another model cannot do it at all', () => {
  const able = { ...unpriced, capabilities: { ...unpriced.capabilities, durationsSeconds: [60] } };
  const error = refusal({ input: makeInput({ durationSeconds: 60 }) }, snapshot([able, makeModel()]));
  expect(error.code).toBe('policy_price_unknown');
});

describe('a price that nobody told', () => {
  const untold = makeModel({ id: 'acme/untold', price: null });
  const capped = { routing: { ...routing, maxCostUsd: '1000' } };

  test('blocks, unless the policy lets it pass and no cap is to be kept', () => {
    expect(refusal({}, snapshot([untold])).code).toBe('policy_price_unknown');
    expect(admit(makeRequest(), snapshot([untold], { unknownPrices: 'allow' })).candidates).toMatchObject([
      { model: 'acme/untold', estimatedCostUsd: null, excluded: null },
    ]);
    expect(refusal(capped, snapshot([untold], { unknownPrices: 'allow' })).code).toBe('policy_price_unknown');
  });

  test('is told where the request itself rules out every model with a price', () => {
    const denied = { routing: { ...routing, deny: ['acme/clip'] } };
    expect(refusal(denied, snapshot([untold, makeModel()])).code).toBe('policy_price_unknown');
  });

  test('of one model does not stand in the way of another', () => {
    expect(admit(makeRequest(), snapshot([untold, makeModel()])).candidates.map(({ model }) => model)).toEqual([
      'acme/clip',
      'acme/untold',
    ]);
  });
});
