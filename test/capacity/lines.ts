/** What the provider enforces and what our configuration says: of each key, or (`model`) of each key with that model. */
export type Limits = {
  concurrent?: number;
  requestsPerMinute?: number;
  requestsPerDay?: number;
  tokensPerMinute?: number;
};

export type LimitName = keyof Limits;

/** A backlog of one kind of work over limits of its own. No two share a provider's key and model. */
export type Line = {
  name: string;
  provider: string;
  medium: 'text' | 'image' | 'video' | 'speech';
  model: string;
  /** As the provider calls it, where the limits are of this model; else they are of the whole key. */
  limitedModel?: string;
  limits: Limits;
  keys: readonly string[];
  input?: Record<string, unknown>;
};

const own = ['emulator'];

const lineTable = {
  /** Work that is looked after, in slots. */
  slots: {
    ...{ provider: 'mock', medium: 'video', model: 'mock/video', limitedModel: 'video' },
    ...{ limits: { concurrent: 4 }, keys: own },
  },
  /** A limit of one model. */
  model: {
    ...{ provider: 'mock', medium: 'speech', model: 'mock/speech', limitedModel: 'speech' },
    ...{ limits: { requestsPerMinute: 6 }, keys: own },
  },
  /** Two keys, whose windows are used up one beside the other. */
  rate: {
    ...{ provider: 'openai', medium: 'speech', model: 'openai/tts-1', limits: { requestsPerMinute: 8 } },
    keys: ['sk-one', 'sk-two'],
  },
  /** A provider that lets work wait instead of refusing it, and two limits of which either may bind. */
  both: {
    ...{ provider: 'runway', medium: 'video', model: 'runway/gen4.5', keys: own },
    ...{ limits: { concurrent: 3, requestsPerMinute: 10 }, input: { durationSeconds: 5 } },
  },
  queue: {
    ...{ provider: 'fal', medium: 'video', model: 'fal/veo3.1/fast', limits: { concurrent: 4 }, keys: own },
  },
  day: {
    ...{ provider: 'cloudflare', medium: 'text', model: 'cloudflare/llama-3.1-8b-instruct-fp8-fast' },
    ...{ limits: { requestsPerDay: 6 }, keys: own },
  },
  tokens: {
    ...{ provider: 'groq', medium: 'text', model: 'groq/gpt-oss-20b', limits: { tokensPerMinute: 12_000 } },
    ...{ keys: own, input: { maxTokens: 1_000 } },
  },
  /** A provider that says 429 once, whatever was agreed. */
  paused: {
    ...{ provider: 'google', medium: 'text', model: 'google/gemini-2.5-flash', limits: { concurrent: 2 } },
    keys: ['one', 'two'],
  },
  /** Several tenants. */
  tenants: {
    ...{ provider: 'elevenlabs', medium: 'speech', model: 'elevenlabs/eleven_multilingual_v2' },
    // beyond what these scenes reach: instead of the default
    ...{ limits: { concurrent: 4, requestsPerMinute: 6_000 }, keys: own },
  },
  /** Low priority behind a stream of high. */
  priorities: {
    ...{ provider: 'anthropic', medium: 'text', model: 'anthropic/claude-haiku-5-5' },
    ...{ limits: { concurrent: 1 }, keys: own },
  },
} as const satisfies Record<string, Omit<Line, 'name'>>;

export type LineName = keyof typeof lineTable;

export const lineOf = (name: LineName): Line => ({ name, ...lineTable[name] });

const settingNames: Record<LimitName, string> = {
  concurrent: 'jobsInFlight',
  requestsPerMinute: 'requestsPerMinute',
  requestsPerDay: 'requestsPerDay',
  tokensPerMinute: 'tokensPerMinute',
};

const ourLimits = (limits: Limits): string =>
  Object.entries(limits)
    .map(([name, most]) => `${settingNames[name as LimitName]}: ${most}`)
    .join(', ');

/** Nothing by default, so that a limit that was left out shows. */
const unlimited = 'jobsInFlight: null, requestsPerMinute: null, requestsPerDay: null, tokensPerMinute: null';

const settingsOf = (provider: string, lines: readonly Line[]): string => {
  const ofKey = lines.find(({ limitedModel }) => limitedModel === undefined);
  const ofModels = lines.filter(({ limitedModel }) => limitedModel !== undefined);
  const models = ofModels.map(
    ({ model, limits }) => `${model.slice(provider.length + 1)}: { limits: { ${ourLimits(limits)} } }`,
  );
  return [
    `  ${provider}:`,
    `    timeoutMs: 8000`,
    `    limits: { ${ofKey ? ourLimits({ ...ofKey.limits }) : unlimited}, cooldownSeconds: 5 }`,
    ...(models.length > 0 ? [`    models: { ${models.join(', ')} }`] : []),
  ].join('\n');
};

const groupByProvider = (lines: readonly Line[]): Map<string, Line[]> => {
  const groups = new Map<string, Line[]>();
  for (const line of lines) groups.set(line.provider, [...(groups.get(line.provider) ?? []), line]);
  return groups;
};

/**
 * SURESHOT_CONFIG. Looks come as often for the emulator's pace as in real life; what a lost answer means is settled in seconds.
 */
export const composeSettings = (lines: readonly Line[]): string => `
polling: { scale: 0.05 }
submit: { timeoutMs: 8000 }
retry: { initialSeconds: 0.1, maximumSeconds: 2 }
reconcile: { everySeconds: 5, silentSeconds: 30 }
admission: { queuedPerTenant: 100000 }
providers:
${[...groupByProvider(lines)].map(([provider, group]) => settingsOf(provider, group)).join('\n')}
`;

/** The same for the emulator. */
export const composeEmulatorLimits = (lines: readonly Line[]): Record<string, Record<string, unknown>> =>
  Object.fromEntries(
    [...groupByProvider(lines)].map(([provider, group]) => {
      const ofKey = group.find(({ limitedModel }) => limitedModel === undefined);
      const models = group.flatMap(({ limitedModel, limits }) =>
        limitedModel === undefined ? [] : [[limitedModel, limits] as const],
      );
      return [provider, { ...ofKey?.limits, ...(models.length > 0 && { models: Object.fromEntries(models) }) }];
    }),
  );

/** Keys of the lines, as the environment of a process names them. */
export const composeKeys = (lines: readonly Line[]): Record<string, string> =>
  Object.fromEntries(
    lines
      .filter(({ keys }) => keys.length > 1)
      .flatMap(({ provider, keys }) => {
        const listed = keys.map((key, index) => `key-${index + 1}=${key}`).join(',');
        return [
          [`${provider.toUpperCase()}_API_KEYS`, listed],
          // instead of the one that the emulator's clients have otherwise
          [`${provider.toUpperCase()}_API_KEY`, ''],
        ];
      }),
  );
