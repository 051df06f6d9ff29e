import type { Capabilities, Model, Price } from '../../src/domain/model';
import { composeRegistry, findRegistryProblems, type ProviderOverride } from '../../src/domain/registry';
import { makeModel } from '../support/generation-data';

const clip = makeModel({
  capabilities: {
    from: ['text'],
    promptCharacters: 100,
    durationsSeconds: [4, 8],
    maxTokens: { minimum: 1, maximum: 50, step: 1 },
  },
});
const reel = makeModel({ id: 'acme/reel', providerModel: 'acme-reel-2' });
const other = makeModel({ id: 'brick/clip', provider: 'brick' });
const catalogue = [clip, reel, other];

const compose = (acme: ProviderOverride, models: readonly Model[] = []): Model[] =>
  composeRegistry(catalogue, { providers: { acme }, models });
const composed = (acme: ProviderOverride, id = 'acme/clip'): Model =>
  compose(acme).find((model) => model.id === id) as Model;

const usual = { enabled: true, weight: 1, priority: 100 };

test('without settings every model is on, with weight 1 and priority 100', () => {
  expect(composeRegistry(catalogue, { providers: {}, models: [] })).toEqual(
    catalogue.map((model) => ({ ...model, ...usual })),
  );
});

test.each(['clip', 'acme-clip-1', 'acme/clip'])('an override finds its model by %s, and no other', (name) => {
  const [changed, ...others] = compose({ models: { [name]: { weight: 7 } } });
  expect(changed).toEqual({ ...clip, ...usual, weight: 7 });
  expect(others).toEqual([reel, other].map((model) => ({ ...model, ...usual })));
});

const price: Price = { source: 'a contract', readOn: '2026-01-01', per: 'second', rates: [{ usd: '0.01' }] };

test.each<[string, Price | { per: 'unknown' } | null | undefined, Price | null]>([
  ['is replaced as a whole', price, price],
  ['becomes unknown when it is said to be', { per: 'unknown' }, null],
  ['stays where null is said', null, clip.price],
  ['stays where nothing is said', undefined, clip.price],
])('a price %s', (_what, override, expected) => {
  const models = { clip: override === undefined ? {} : { price: override } };
  expect(composed({ models }).price).toEqual(expected);
});

test('capabilities are replaced member by member', () => {
  const capabilities: Partial<Capabilities> = { durationsSeconds: [2], negativePrompt: true };
  expect(composed({ models: { clip: { capabilities } } }).capabilities).toEqual({
    ...clip.capabilities,
    ...capabilities,
  });
  const absent = { durationsSeconds: undefined };
  expect(composed({ models: { clip: { capabilities: absent } } }).capabilities).toEqual(clip.capabilities);
});

test.each<[string, number, Partial<Capabilities>, Capabilities['maxTokens']]>([
  ['lowers the maximum', 20, {}, { minimum: 1, maximum: 20, step: 1 }],
  ['does not raise it', 80, {}, { minimum: 1, maximum: 50, step: 1 }],
  ['counts beside an own range', 20, { maxTokens: { minimum: 2, maximum: 30 } }, { minimum: 2, maximum: 20 }],
])('maxTokens %s', (_what, maxTokens, capabilities, expected) => {
  expect(composed({ models: { clip: { maxTokens, capabilities } } }).capabilities.maxTokens).toEqual(expected);
});

test('maxTokens gives no model a parameter that it does not have', () => {
  expect(composed({ models: { reel: { maxTokens: 20 } } }, 'acme/reel').capabilities).toEqual(reel.capabilities);
});

test.each<[ProviderOverride, object, object]>([
  [{ enabled: false }, { enabled: false }, { enabled: false }],
  [{ enabled: false, models: { clip: { enabled: true } } }, { enabled: false }, { enabled: false }],
  [{ enabled: true, models: { clip: { enabled: false } } }, { enabled: false }, { enabled: true }],
  [{ weight: 3 }, { weight: 3 }, { weight: 3 }],
  [{ weight: 3, models: { clip: { weight: 2 } } }, { weight: 6 }, { weight: 3 }],
  [{ weight: 0, models: { clip: { weight: 2 } } }, { weight: 0 }, { weight: 0 }],
  [{ models: { clip: { weight: 0 } } }, { weight: 0 }, { weight: 1 }],
  [{ priority: 1 }, { priority: 1 }, { priority: 1 }],
])('%j goes to the named model and its provider, to no other provider', (override, named, neighbour) => {
  const [first, second, elsewhere] = compose(override);
  expect(first).toMatchObject({ ...usual, ...named });
  expect(second).toMatchObject({ ...usual, ...neighbour });
  expect(elsewhere).toEqual({ ...other, ...usual });
});

test('rows of the operator stand behind the catalogue and follow the same settings', () => {
  const own = makeModel({ id: 'acme/own', providerModel: 'own', weight: 5 });
  const last = compose({ weight: 2, models: { own: { enabled: false } } }, [own]).at(-1);
  expect(last).toEqual({ ...own, enabled: false, weight: 10, priority: 100 });
});

test('changes nothing of the catalogue it is given', () => {
  const before = JSON.stringify(catalogue);
  compose({ enabled: false, models: { clip: { maxTokens: 1, price: null, capabilities: { voices: 'any' } } } });
  expect(JSON.stringify(catalogue)).toBe(before);
});

describe('problems', () => {
  const problems = (providers: Record<string, ProviderOverride>, models: readonly Model[] = []) =>
    findRegistryProblems(catalogue, { providers, models });
  const named = (name: string) => ({ models: { [name]: {} } });

  test('are none where every name is a model of its provider, one of the own rows included', () => {
    const own = makeModel({ id: 'acme/own' });
    expect(
      problems({ acme: { models: { clip: {}, 'acme-reel-2': {}, own: {} } }, brick: named('clip') }, [own]),
    ).toEqual([]);
  });

  test.each([
    ['acme', 'nothing'],
    ['brick', 'reel'],
    ['brick', 'acme/clip'],
  ])('name providers.%s.models.%s where it is none', (provider, name) => {
    expect(problems({ [provider]: named(name) })).toEqual([
      `providers.${provider}.models.${name} is not a model of ${provider}`,
    ]);
  });

  test('name an id that is there already, and one that is there twice', () => {
    const [known, twin] = [makeModel(), makeModel({ id: 'acme/twin' })];
    expect(problems({}, [known])).toEqual(['models.0.id acme/clip is there already']);
    expect(problems({}, [makeModel({ id: 'acme/own' }), twin, twin])).toEqual([
      'models.1.id acme/twin is there already',
      'models.2.id acme/twin is there already',
    ]);
  });

  test('come all at once', () => {
    expect(problems({ acme: { models: { x: {}, y: {} } } }, [clip])).toHaveLength(3);
  });
});
