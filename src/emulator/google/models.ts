import type { Answer } from '../answer';
import type { Call } from '../provider';
import { modelMissing, modelRetired, missing, reply } from './problems';

export type Method = 'predictLongRunning' | 'generateContent' | 'streamGenerateContent' | 'countTokens';

export type GoogleModel = {
  name: string;
  displayName: string;
  methods: readonly Method[];
  /** API versions that know it. */
  versions: readonly string[];
  inputTokenLimit: number;
  outputTokenLimit: number;
  /** Thinks before it answers; `always`: it cannot be told not to. */
  thinking?: 'optional' | 'always';
  /** From when on it answers 404 in real life. */
  retiredAt?: string;
  video?: VideoModel;
  image?: ImageModel;
  text?: TextModel;
};

export type VideoModel = {
  durations: readonly number[];
  /** USD a second by resolution; the first one is the default. */
  rates: Readonly<Record<string, number>>;
  /** Whether `resolution` and `seed` are parameters at all. */
  hasResolution: boolean;
  hasFrames: boolean;
  maxSamples: number;
  latencyMs: number;
};

type ImageModel = {
  /** USD an image by its size. */
  sizes: Readonly<Record<string, number>>;
  imageTokens: number;
  latencyMs: number;
};

/** USD per million tokens: in, out. */
type TextModel = { rates: readonly [number, number] };

const both = ['v1', 'v1beta'] as const;
const beta = ['v1beta'] as const;
const contentMethods = ['generateContent', 'streamGenerateContent', 'countTokens'] as const;

const video = (
  name: string,
  displayName: string,
  more: VideoModel & { retiredAt: string },
): Record<string, GoogleModel> => {
  const { retiredAt, ...model } = more;
  const limits = { inputTokenLimit: 480, outputTokenLimit: 8192 };
  return {
    [name]: { name, displayName, methods: ['predictLongRunning'], versions: beta, ...limits, retiredAt, video: model },
  };
};

const image = (name: string, displayName: string, more: ImageModel): Record<string, GoogleModel> => ({
  [name]: {
    name,
    displayName,
    methods: contentMethods,
    versions: both,
    inputTokenLimit: 65_536,
    outputTokenLimit: 32_768,
    image: more,
  },
});

const textModel = (
  name: string,
  displayName: string,
  more: TextModel & { thinking: 'optional' | 'always' },
): Record<string, GoogleModel> => ({
  [name]: {
    name,
    displayName,
    methods: contentMethods,
    versions: both,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    thinking: more.thinking,
    text: { rates: more.rates },
  },
});

const veo3 = { durations: [4, 6, 8], hasResolution: true, hasFrames: false, maxSamples: 1 } as const;
const retiredInJune = '2026-06-30T00:00:00Z';
const retiredInOctober = '2026-10-22T00:00:00Z';

const models: Record<string, GoogleModel> = {
  ...video('veo-2.0-generate-001', 'Veo 2', {
    durations: [5, 6, 7, 8],
    rates: { '720p': 0.35 },
    hasResolution: false,
    hasFrames: false,
    maxSamples: 2,
    latencyMs: 40_000,
    retiredAt: retiredInJune,
  }),
  ...video('veo-3.0-generate-001', 'Veo 3', {
    ...veo3,
    rates: { '720p': 0.4, '1080p': 0.4 },
    latencyMs: 45_000,
    retiredAt: retiredInJune,
  }),
  ...video('veo-3.0-fast-generate-001', 'Veo 3 fast', {
    ...veo3,
    rates: { '720p': 0.15, '1080p': 0.15 },
    latencyMs: 30_000,
    retiredAt: retiredInJune,
  }),
  ...video('veo-3.1-generate-preview', 'Veo 3.1', {
    ...veo3,
    hasFrames: true,
    rates: { '720p': 0.4, '1080p': 0.4, '4k': 0.6 },
    latencyMs: 45_000,
    retiredAt: retiredInOctober,
  }),
  ...video('veo-3.1-fast-generate-preview', 'Veo 3.1 fast', {
    ...veo3,
    hasFrames: true,
    rates: { '720p': 0.1, '1080p': 0.12, '4k': 0.3 },
    latencyMs: 30_000,
    retiredAt: retiredInOctober,
  }),
  ...video('veo-3.1-lite-generate-preview', 'Veo 3.1 lite', {
    ...veo3,
    rates: { '720p': 0.05, '1080p': 0.08 },
    latencyMs: 25_000,
    retiredAt: retiredInOctober,
  }),
  ...textModel('gemini-2.5-flash', 'Gemini 2.5 Flash', { rates: [0.3, 2.5], thinking: 'optional' }),
  ...textModel('gemini-3.8-flash', 'Gemini 3.8 Flash', { rates: [0.75, 3.75], thinking: 'optional' }),
  ...textModel('gemini-2.5-pro', 'Gemini 2.5 Pro', { rates: [1.25, 10], thinking: 'always' }),
  ...image('gemini-2.5-flash-image', 'Nano Banana', {
    sizes: { '1K': 0.039 },
    imageTokens: 1290,
    latencyMs: 7_000,
  }),
  ...image('gemini-3.1-flash-image', 'Nano Banana 2', {
    sizes: { '1K': 0.067, '512': 0.045, '2K': 0.101, '4K': 0.151 },
    imageTokens: 1120,
    latencyMs: 8_000,
  }),
  ...image('gemini-3-pro-image', 'Nano Banana Pro', {
    sizes: { '1K': 0.134, '2K': 0.134, '4K': 0.24 },
    imageTokens: 1120,
    latencyMs: 15_000,
  }),
  'gemini-omni-1.1-flash': {
    name: 'gemini-omni-1.1-flash',
    displayName: 'Gemini Omni 1.1 Flash',
    methods: [],
    versions: both,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
  },
};

const isRetired = ({ world }: Call, { retiredAt }: GoogleModel): boolean =>
  world.settings.strictLifecycle && retiredAt !== undefined && world.clock() >= Date.parse(retiredAt);

const versionOf = ({ path }: Call): string => path.split('/')[2] ?? '';

/** The model of the path, or why there is none. */
export const findModel = (call: Call, method: Method): GoogleModel | Answer => {
  const name = call.params['model'] ?? '';
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  const version = versionOf(call);
  if (model === undefined || !model.methods.includes(method) || !model.versions.includes(version)) {
    return modelMissing(name, method, version);
  }
  return isRetired(call, model) ? modelRetired(name) : model;
};

const show = (model: GoogleModel): Record<string, unknown> => ({
  name: `models/${model.name}`,
  version: '001',
  displayName: model.displayName,
  description: model.displayName,
  inputTokenLimit: model.inputTokenLimit,
  outputTokenLimit: model.outputTokenLimit,
  supportedGenerationMethods: model.methods,
  ...(model.video === undefined ? { temperature: 1, topP: 0.95, topK: 64, maxTemperature: 2 } : {}),
  ...(model.thinking === undefined ? {} : { thinking: true }),
});

const available = (call: Call): GoogleModel[] =>
  Object.values(models)
    .filter(({ versions }) => versions.includes(versionOf(call)))
    .filter((model) => !isRetired(call, model));

/** A page of a list, as all of Google's list methods cut it. */
export const pageOf = <Item>(call: Call, items: Item[]): { page: Item[]; nextPageToken?: string } => {
  const size = Math.min(1000, Number(call.query.get('pageSize') ?? 50) || 50);
  const start = Number(Buffer.from(call.query.get('pageToken') ?? '', 'base64url').toString()) || 0;
  const end = start + size;
  const page = items.slice(start, end);
  return end < items.length ? { page, nextPageToken: Buffer.from(String(end)).toString('base64url') } : { page };
};

export const listModels = (call: Call): Answer => {
  const { page, ...token } = pageOf(call, available(call));
  return reply(200, { models: page.map(show), ...token });
};

export const retrieveModel = (call: Call): Answer => {
  const model = available(call).find(({ name }) => name === call.params['model']);
  return model === undefined ? missing : reply(200, show(model));
};
