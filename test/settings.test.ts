import { mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Model } from '../src/domain/model';
import { parseMoney } from '../src/domain/money';
import { catalogue } from '../src/providers/catalogue';
import { defaultSettings, followSettings, readSettingsFile, type Live } from '../src/settings';

const folder = mkdtempSync(path.join(tmpdir(), 'sureshot-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const fileWith = (content: unknown): string => {
  files += 1;
  const file = path.join(folder, `settings-${files}.yaml`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};

const read = (content: unknown) => readSettingsFile(fileWith(content));

/** Each without the file it names. */
const problemsOf = (content: unknown): string[] => {
  const file = fileWith(content);
  return readSettingsFile(file).problems.map((line) => {
    expect(line.startsWith(`${file}: `)).toBe(true);
    return line.slice(file.length + 2);
  });
};

const gen45 = (override: object) => ({ providers: { runway: { models: { 'gen4.5': override } } } });
const custom = {
  id: 'fal/kling/v9',
  providerModel: 'fal-ai/kling-video/v9',
  medium: 'video',
  capabilities: { from: ['text'], promptCharacters: 500, durationsSeconds: [5] },
};
const own = (changes: object) => ({ models: [{ ...custom, ...changes }] });
const ownAbilities = (changes: object) => own({ capabilities: { ...custom.capabilities, ...changes } });
const price = { per: 'second', rates: [{ usd: '0.1' }] };

test.each<[path: string, settings: object]>([
  ['colour', { colour: 'red' }],
  ['providers.runway.colour', { providers: { runway: { colour: 'red' } } }],
  ['providers.nobody', { providers: { nobody: {} } }],
  ['providers.runway.enabled', { providers: { runway: { enabled: 'yes' } } }],
  ['providers.runway.priority', { providers: { runway: { priority: -1 } } }],
  ['providers.runway.weight', { providers: { runway: { weight: -0.1 } } }],
  ['providers.runway.timeoutMs', { providers: { runway: { timeoutMs: 99 } } }],
  ['providers.runway.timeoutMs', { providers: { runway: { timeoutMs: 3_600_001 } } }],
  ['providers.runway.limits.requestsPerMinute', { providers: { runway: { limits: { requestsPerMinute: -1 } } } }],
  // never to rest would mean to ask again at once
  ['providers.runway.limits.cooldownSeconds', { providers: { runway: { limits: { cooldownSeconds: 0 } } } }],
  ['providers.runway.retry.attempts', { providers: { runway: { retry: { attempts: 0 } } } }],
  ['providers.runway.models.gen4.5.enabled', gen45({ enabled: 1 })],
  ['providers.runway.models.gen4.5.weight', gen45({ weight: 'much' })],
  ['providers.runway.models.gen4.5.maxTokens', gen45({ maxTokens: 0 })],
  ['providers.runway.models.gen4.5.colour', gen45({ colour: 'red' })],
  ['providers.runway.models.gen4.5.price.rates', gen45({ price: { ...price, rates: [] } })],
  ['providers.runway.models.gen4.5.price.rates.0.usd', gen45({ price: { ...price, rates: [{ usd: '-1' }] } })],
  ['providers.runway.models.gen4.5.price.rates.0.usd', gen45({ price: { ...price, rates: [{ usd: 'free' }] } })],
  ['providers.runway.models.gen4.5.price.readOn', gen45({ price: { ...price, readOn: 'yesterday' } })],
  ['providers.runway.models.gen4.5.price.per', gen45({ price: { ...price, per: 'hour' } })],
  ['providers.runway.models.gen4.5.price.input', gen45({ price: { ...price, input: '1' } })],
  ['providers.runway.models.gen4.5.capabilities.resolutions', gen45({ capabilities: { resolutions: [] } })],
  ['providers.runway.models.gen4.5.capabilities.color', gen45({ capabilities: { color: true } })],
  ['routing.strategy', { routing: { strategy: 'random' } }],
  ['routing.defaults.smell', { routing: { defaults: { smell: { model: 'fal/veo3.1' } } } }],
  ['routing.defaults.video.model', { routing: { defaults: { video: {} } } }],
  ['prices.unknown', { prices: { unknown: 'guess' } }],
  ['polling.scale', { polling: { scale: 0 } }],
  ['polling.scale', { polling: { scale: 11 } }],
  ['ambiguity.resubmitUpToUsd', { ambiguity: { resubmitUpToUsd: -1 } }],
  ['ambiguity.holdHours', { ambiguity: { holdHours: 0 } }],
  ['providers.openai.store', { providers: { openai: { store: 'yes' } } }],
  ['versioning.behavior', { versioning: { behavior: 'sometimes' } }],
  ['versioning.deployment', { versioning: { deployment: 'sureshot.eu' } }],
  ['versioning.buildId', { versioning: { buildId: '' } }],
  ['retry.initialSeconds', { retry: { initialSeconds: 0 } }],
  ['retry.maximumSeconds', { retry: { maximumSeconds: '30' } }],
  ['retry.factor', { retry: { factor: 0.5 } }],
  ['submit.timeoutMs', { submit: { timeoutMs: 1 } }],
  ['reconcile.everySeconds', { reconcile: { everySeconds: 0 } }],
  ['reconcile.silentSeconds', { reconcile: { silentSeconds: 1.5 } }],
  ['reconcile.orphansEverySeconds', { reconcile: { orphansEverySeconds: 0 } }],
  ['models.0.id', own({ id: 'kling' })],
  ['models.0.id', own({ id: 'nobody/kling' })],
  ['models.0.providerModel', own({ providerModel: '' })],
  ['models.0.medium', own({ medium: 'smell' })],
  ['models.0.capabilities', own({ capabilities: undefined })],
  ['models.0.capabilities.from', ownAbilities({ from: [] })],
  ['models.0.capabilities.from.0', ownAbilities({ from: ['smell'] })],
  ['models.0.capabilities.promptCharacters', ownAbilities({ promptCharacters: 0 })],
  ['models.0.capabilities.durationsSeconds', ownAbilities({ durationsSeconds: [] })],
  ['models.0.capabilities.durationsSeconds', ownAbilities({ durationsSeconds: { minimum: 1, maximum: 5 } })],
  [
    'models.0.capabilities.durationsWhen.0.when.colour',
    ownAbilities({ durationsWhen: [{ when: { colour: 1 }, durationsSeconds: [8] }] }),
  ],
  ['models.0.capabilities.referenceImages.maximum', ownAbilities({ referenceImages: { minimum: 0 } })],
  ['models.0.capabilities.imageFiles.maximumBytes', ownAbilities({ imageFiles: { types: ['image/png'] } })],
  ['models.0.capabilities.audio', ownAbilities({ audio: true })],
  ['models.0.capabilities.sizes', ownAbilities({ sizes: { anyMultipleOf: 8 } })],
  ['models.0.capabilities.voiceSettings.pitch', ownAbilities({ voiceSettings: { pitch: { minimum: 0, maximum: 1 } } })],
  ['models.0.lifecycle.retiredOn', own({ lifecycle: { retiredOn: '2026-13-01' } })],
  ['models.0.qualityTier', own({ qualityTier: 4 })],
  ['models.0.typicalSeconds', own({ typicalSeconds: 0 })],
  ['models.0.weight', own({ weight: -1 })],
  ['models.0.colour', own({ colour: 'red' })],
])('%s is refused with its path in %j', (path_, settings) => {
  const problems = problemsOf(settings);
  expect(new Set(problems.map((line) => line.split(' ')[0]))).toEqual(new Set([path_]));
  expect(read(settings).settings).toEqual(defaultSettings);
});

test.each<[problem: string, settings: object]>([
  ['providers.runway.models.gen9 is not a model of runway', { providers: { runway: { models: { gen9: {} } } } }],
  ['models.0.id fal/veo3.1 is there already', own({ id: 'fal/veo3.1' })],
  [
    'routing.defaults.video.model fal/nothing is no video model',
    { routing: { defaults: { video: { model: 'fal/nothing' } } } },
  ],
  [
    'routing.defaults.image.model fal/veo3.1 is no image model',
    { routing: { defaults: { image: { model: 'fal/veo3.1' } } } },
  ],
  [
    'routing.defaults.video.fallback fal/flux/dev is no video model',
    { routing: { defaults: { video: { model: 'fal/veo3.1', fallback: 'fal/flux/dev' } } } },
  ],
  ['providers.fal.store is a setting of openai only', { providers: { fal: { store: true } } }],
  ['providers.runway.store is a setting of openai only', { providers: { runway: { store: false } } }],
])('what is no model, or not of this provider, is refused: %s', (problem, settings) => {
  expect(problemsOf(settings)).toEqual([problem]);
});

test('every problem is told at once', () => {
  const unknown = { a: 1, b: 2, polling: { scale: 0, c: 3 } };
  expect(
    problemsOf(unknown)
      .map((line) => line.split(' ')[0])
      .sort(),
  ).toEqual(['a', 'b', 'polling.c', 'polling.scale']);
});

test('a file that is not there or no YAML is told by its name', () => {
  const nowhere = path.join(folder, 'nowhere');
  expect(readSettingsFile(nowhere).problems).toEqual([expect.stringContaining(`${nowhere} cannot be read`)]);
  expect(readSettingsFile(folder).problems).toEqual([expect.stringContaining(`${folder} cannot be read`)]);
  expect(read('{ "polling": ').problems).toEqual([expect.stringContaining('cannot be read')]);
  expect(read('polling: {}\npolling: {}').problems).toEqual([expect.stringContaining('cannot be read')]);
});

test.each(['', '# nothing yet', '{}', 'providers: {}'])('%j is the defaults', (text) => {
  expect(read(text)).toEqual({ settings: defaultSettings, problems: [] });
});

test('the defaults are those of the contract', () => {
  expect(defaultSettings).toMatchObject({
    providers: {},
    models: [],
    routing: { strategy: 'balanced', defaults: {} },
    prices: { unknown: 'block' },
    polling: { scale: 1 },
    ambiguity: { resubmitUpToUsd: '0.05' },
    retry: { attempts: 3, initialSeconds: 1, maximumSeconds: 30, factor: 2 },
  });
  expect(read('providers: { runway: {} }').settings.providers).toEqual({
    runway: { enabled: true, priority: 100, weight: 1, models: {} },
  });
});

test('defaults may name a canonical id, the own id of the provider, a family or an own row', () => {
  for (const model of ['fal/veo3.1', 'fal-ai/veo3.1', 'veo-3.1', custom.id, custom.providerModel])
    expect(problemsOf({ ...own({}), routing: { defaults: { video: { model, fallback: 'runway/gen4.5' } } } })).toEqual(
      [],
    );
});

const modelsOf = (content: unknown): readonly Model[] => {
  const { settings, problems } = read(content);
  expect(problems).toEqual([]);
  return followSettings(null, settings, { onReload: () => undefined, onProblems: () => undefined }).models();
};

test('an own row stands behind the catalogue, with sensible values for what it leaves out', () => {
  const models = modelsOf(own({}));
  expect(models).toHaveLength(catalogue.length + 1);
  expect(models.at(-1)).toEqual({
    ...custom,
    provider: 'fal',
    family: custom.providerModel,
    price: null,
    lifecycle: {},
    qualityTier: 2,
    typicalSeconds: 30,
    maximumSeconds: 1_800,
    automatic: true,
    synchronous: false,
    enabled: true,
    weight: 1,
    priority: 100,
  });
});

test('an own price tells where and when it was read, and takes amounts as numbers', () => {
  const [dated, undated] = [
    { ...price, source: 'a contract', readOn: '2026-01-31', rates: [{ when: { audio: false }, usd: 0.00000001 }] },
    price,
  ].map((own_) => modelsOf(own({ price: own_ })).at(-1)?.price);
  expect(dated).toMatchObject({ source: 'a contract', readOn: '2026-01-31', rates: [{ usd: '0.00000001' }] });
  expect(undated).toMatchObject({ source: 'SURESHOT_CONFIG', readOn: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/) });
});

/** `0.40` and `0.4` are the same amount. */
const normal = (row: unknown): unknown =>
  JSON.parse(JSON.stringify(row), (key, value: string) =>
    ['usd', 'input', 'output', 'creditUsd'].includes(key) ? parseMoney(value) : value,
  );

test.each(catalogue.map((model) => [model.id, model] as const))(
  'the row of %s can be written as an own one',
  (_id, { provider, ...row }) => {
    const again = { ...row, id: `${provider}/again` };
    expect(modelsOf({ models: [again] }).at(-1)).toMatchObject(normal({ ...again, provider }) as object);
  },
);

test('settings reach the rows they name', () => {
  const models = modelsOf({
    providers: {
      runway: { enabled: false, priority: 1, weight: 2 },
      fal: { models: { 'veo3.1': { weight: 3, price: { per: 'unknown' } }, 'fal-ai/flux/dev': { enabled: false } } },
    },
  });
  const byId = (id: string) => models.find((model) => model.id === id);
  expect(byId('runway/gen4.5')).toMatchObject({ enabled: false, priority: 1, weight: 2 });
  expect(byId('fal/veo3.1')).toMatchObject({ enabled: true, priority: 100, weight: 3, price: null });
  expect(byId('fal/flux/dev')).toMatchObject({ enabled: false, weight: 1 });
});

describe('a file that is followed', () => {
  type Told = { reloads: number; problems: (readonly string[])[] };

  let live: Live | null = null;
  afterEach(() => live?.close());

  /** Follows a file; `next` is the next thing it is told, in order. */
  const follow = (file: string) => {
    const told: Told = { reloads: 0, problems: [] };
    let wake: () => void = () => undefined;
    const now = followSettings(file, readSettingsFile(file).settings, {
      onReload: () => {
        told.reloads += 1;
        wake();
      },
      onProblems: (problems) => {
        told.problems.push(problems);
        wake();
      },
    });
    live = now;
    const after = async (change: () => void): Promise<void> => {
      const heard = new Promise<void>((resolve) => (wake = resolve));
      change();
      await heard;
    };
    return { told, after, scale: () => now.settings().polling.scale, live: now };
  };

  test('is read again when it changes, and the registry with it', async () => {
    const file = fileWith('polling: { scale: 0.5 }');
    const { told, after, scale, live: now } = follow(file);
    expect([scale(), now.models().length]).toEqual([0.5, catalogue.length]);
    await after(() => writeFileSync(file, JSON.stringify({ polling: { scale: 0.25 }, ...own({}) })));
    expect([scale(), now.models().length]).toEqual([0.25, catalogue.length + 1]);
    expect(told).toEqual({ reloads: 1, problems: [] });
  });

  test('keeps the last good state while it is bad, and goes on when it is good again', async () => {
    const file = fileWith('polling: { scale: 0.5 }');
    const { told, after, scale } = follow(file);
    await after(() => writeFileSync(file, 'polling: { scale: -1 }'));
    expect(scale()).toBe(0.5);
    expect(told).toEqual({ reloads: 0, problems: [[expect.stringContaining(`${file}: polling.scale `)]] });
    await after(() => writeFileSync(file, 'no: [yaml'));
    expect(told.problems[1]?.join()).toContain(file);
    expect(scale()).toBe(0.5);
    await after(() => writeFileSync(file, 'polling: { scale: 2 }'));
    expect(scale()).toBe(2);
  });

  test('is noticed when another takes its place', async () => {
    const file = fileWith('polling: { scale: 0.5 }');
    const { after, scale } = follow(file);
    const other = fileWith('polling: { scale: 0.1 }');
    await after(() => renameSync(other, file));
    expect(scale()).toBe(0.1);
    await after(() => writeFileSync(file, 'polling: { scale: 0.2 }'));
    expect(scale()).toBe(0.2);
  });

  test('keeps the last good state when it is deleted, and comes back with the file', async () => {
    const file = fileWith('polling: { scale: 0.5 }');
    const { told, after, scale } = follow(file);
    await after(() => unlinkSync(file));
    expect(scale()).toBe(0.5);
    expect(told.problems).toEqual([[expect.stringContaining(`${file} cannot be read`)]]);
    await after(() => writeFileSync(file, 'polling: { scale: 0.2 }'));
    expect(scale()).toBe(0.2);
  });

  test('is no longer looked at once it is closed, while another goes on', async () => {
    const file = fileWith('polling: { scale: 0.5 }');
    const closed = follow(file);
    const open = follow(file);
    closed.live.close();
    await open.after(() => writeFileSync(file, 'polling: { scale: 0.2 }'));
    expect([closed.scale(), open.scale()]).toEqual([0.5, 0.2]);
    expect(closed.told.reloads).toBe(0);
  });
});

test('the example of docs/configuration.md can be used as it stands', () => {
  const page = readFileSync(path.join(__dirname, '../docs/configuration.md'), 'utf8');
  const [, example = ''] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
  const { settings, problems } = read(example);
  expect(problems).toEqual([]);
  expect(settings.models.map(({ id }) => id)).toEqual(['fal/my-lora']);
});
