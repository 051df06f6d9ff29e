import type { GenerationRequest } from '../../src/domain/generation';
import { SureshotError } from '../../src/domain/failure';
import type { Model } from '../../src/domain/model';
import { admit, type Snapshot } from '../../src/domain/routing';
import { catalogue } from '../../src/providers/catalogue';
import { makeModel, makeRequest } from '../support/generation-data';
import { makeInput } from '../support/provider-calls';

const snapshot = (models: readonly Model[], configured = models.map(({ provider }) => provider)): Snapshot => ({
  models,
  configured: new Set(configured),
  now: new Date('2026-11-21T12:00:00Z'),
  complexity: null,
});

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
  const error = refusal({}, snapshot(catalogue, ['mock']));
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

test.each([
  ['deny', { ...routing, deny: ['acme'] }],
  ['allow', { ...routing, allow: ['nobody'] }],
  ['maxCostUsd', { ...routing, maxCostUsd: '0.01' }],
])('routing.%s that rules everything out is told as such', (_rule, rules) => {
  const error = refusal({ routing: rules }, snapshot([makeModel()]));
  expect(error.code).toBe('caller_invalid_request');
  expect(error.violations[0]?.pointer).toMatch(/^\/routing/);
});

test('an unknown price is refused as such, never taken for nothing', () => {
  expect(refusal({}, snapshot([unpriced])).code).toBe('policy_price_unknown');
});

test('a price is unknown also where another model cannot do it at all', () => {
  const able = { ...unpriced, capabilities: { ...unpriced.capabilities, durationsSeconds: [60] } };
  const error = refusal({ input: makeInput({ durationSeconds: 60 }) }, snapshot([able, makeModel()]));
  expect(error.code).toBe('policy_price_unknown');
});
