import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../failure';
import { present, type Session } from '../session';
import { drawTable, type Column } from '../table';
import type { Register } from './options';

type Range = { minimum: number; maximum: number };

type Rate = { usd: string };

type Price =
  | { per: 'millionTokens'; input: string; output: string }
  | { per: 'second' | 'image' | 'piece' | 'megapixel' | 'thousandCharacters'; rates: Rate[] };

type Capabilities = {
  from?: string[];
  speechTask?: string;
  durationsSeconds?: number[] | Range;
  resolutions?: string[];
  aspectRatios?: string[];
  sizes?: string[] | object;
  audio?: string;
  count?: Range;
  voices?: string[] | 'any';
  jsonSchema?: boolean;
};

type Model = {
  id: string;
  provider: string;
  medium: string;
  lifecycle: { status: string; date: string | null; successor: string | null };
  capabilities: Capabilities;
  price: Price | null;
  available: boolean;
};

const units = { second: 's', image: 'image', piece: 'piece', megapixel: 'megapixel', thousandCharacters: '1000 chars' };

const tellPrice = (price: Price | null): string => {
  if (price === null) return 'unknown';
  if (price.per === 'millionTokens') return `${price.input} in, ${price.output} out / M tokens`;
  const sorted = price.rates.map(({ usd }) => usd).sort((one, other) => Number(one) - Number(other));
  const [lowest = '?', highest = lowest] = [sorted[0], sorted.at(-1)];
  return `${lowest === highest ? lowest : `${lowest}–${highest}`} / ${units[price.per]}`;
};

const tellRange = (range: number[] | Range | undefined): string => {
  if (range === undefined) return '';
  if (!Array.isArray(range)) return `${range.minimum}–${range.maximum} s`;
  return `${[...range].sort((one, other) => one - other).join('/')} s`;
};

const few = (values: readonly string[] | undefined, most = 4): string =>
  values === undefined ? '' : `${values.slice(0, most).join('/')}${values.length > most ? '/…' : ''}`;

const tellVoices = (voices: Capabilities['voices']): string => {
  if (voices === undefined) return '';
  return voices === 'any' ? 'any voice' : `${voices.length} voices`;
};

const tellCapabilities = (capabilities: Capabilities): string => {
  const { from = [], speechTask, sizes, audio, count, jsonSchema } = capabilities;
  return [
    speechTask === 'sound_effect' ? 'sound effects' : `from ${from.join('/')}`,
    tellRange(capabilities.durationsSeconds),
    few(capabilities.resolutions),
    few(Array.isArray(sizes) ? sizes : undefined, 2),
    few(capabilities.aspectRatios, 3),
    audio === undefined || audio === 'never' ? '' : 'audio',
    count === undefined || count.maximum < 2 ? '' : `up to ${count.maximum}`,
    tellVoices(capabilities.voices),
    jsonSchema === true ? 'JSON' : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
};

const tellLifecycle = ({ lifecycle: { status, date, successor }, available }: Model): string => {
  const on = date === null ? '' : status === 'active' ? ` until ${date}` : ` ${date}`;
  const next = successor === null ? '' : ` → ${successor}`;
  return `${status}${on}${next}${available || status === 'retired' ? '' : ' (no key)'}`;
};

const modelColumns = ({ terminal }: Session): Column<Model>[] => [
  { title: 'MODEL', text: ({ id }) => id },
  { title: 'MEDIUM', text: ({ medium }) => medium },
  { title: 'USD', text: ({ price }) => tellPrice(price) },
  {
    title: 'STATUS',
    text: tellLifecycle,
    flexible: true,
    paint: (text, { lifecycle, available }) =>
      available && lifecycle.status === 'active' ? text : terminal.paint('dim', text),
  },
  { title: 'TAKES', text: ({ capabilities }) => tellCapabilities(capabilities), flexible: true },
];

type ModelOptions = { medium?: string; provider?: string };

/** The API has no filters here, so `--json` keeps its shape with fewer rows. */
const models = async (session: Session, { medium, provider }: ModelOptions): Promise<ExitCode> => {
  const { data, ...rest } = await session.api.call<{ data: Model[] }>('/v1/models');
  const found = data.filter(
    (model) => (medium ?? model.medium) === model.medium && (provider ?? model.provider) === model.provider,
  );
  present(session, { ...rest, data: found }, () =>
    found.length === 0 ? ['no model'] : drawTable(modelColumns(session), found, session.terminal.outColumns),
  );
  return exitCodes.ok;
};

type Provider = {
  id: string;
  configured: boolean;
  enabled: boolean;
  paused: boolean;
  credentials: { alias: string; status: string; lastError: { code: string; at: string } | null }[];
  latencyMs: { p50: number | null; p95: number | null };
  successRate: number | null;
};

const tellState = ({ configured, enabled, paused }: Provider): string => {
  if (!configured) return 'no key';
  if (!enabled) return 'switched off';
  return paused ? 'paused' : 'ready';
};

const tellSeconds = (ms: number | null): string => (ms === null ? '' : (ms / 1000).toFixed(1));

const tellKeys = ({ credentials }: Provider): string =>
  credentials.map(({ alias, status }) => (status === 'active' ? alias : `${alias} (${status})`)).join(', ');

const tellErrors = ({ credentials }: Provider): string =>
  credentials.flatMap(({ alias, lastError }) => (lastError === null ? [] : [`${alias}: ${lastError.code}`])).join(', ');

const providerColumns = ({ terminal }: Session): Column<Provider>[] => [
  { title: 'PROVIDER', text: ({ id }) => id },
  {
    title: 'STATE',
    text: tellState,
    paint: (text, provider) => terminal.paint(tellState(provider) === 'ready' ? 'green' : 'dim', text),
  },
  { title: 'KEYS', text: tellKeys, flexible: true },
  {
    title: 'OK %',
    text: ({ successRate }) => (successRate === null ? '' : String(Math.round(successRate * 100))),
    right: true,
  },
  { title: 'P50 S', text: ({ latencyMs }) => tellSeconds(latencyMs.p50), right: true },
  { title: 'P95 S', text: ({ latencyMs }) => tellSeconds(latencyMs.p95), right: true },
  { title: 'LAST ERROR', text: tellErrors, flexible: true },
];

const providers = async (session: Session): Promise<ExitCode> => {
  const answer = await session.api.call<{ data: Provider[] }>('/v1/providers');
  present(session, answer, () => drawTable(providerColumns(session), answer.data, session.terminal.outColumns));
  return exitCodes.ok;
};

type Test = {
  provider: string;
  credential: string;
  ok: boolean;
  latencyMs: number;
  model: string | null;
  error: { code: string; message: string } | null;
};

/** The API itself gives a worker 35 seconds. */
const testTimeoutMs = 60_000;

const testProvider = async (session: Session, id: string, options: { credential?: string }): Promise<ExitCode> => {
  const body = { credential: options.credential ?? null };
  const route = `/v1/providers/${encodeURIComponent(id)}/test`;
  const test = await session.api.call<Test>(route, { method: 'POST', body, timeoutMs: testTimeoutMs });
  const { paint } = session.terminal;
  const result = test.ok
    ? `${paint('green', 'works')}  ${tellSeconds(test.latencyMs)} s${test.model === null ? '' : `  ${test.model}`}`
    : `${paint('red', 'fails')}  ${test.error?.code ?? ''}: ${test.error?.message ?? ''}`;
  present(session, test, () => [`${test.provider}  key ${test.credential}  ${result}`]);
  return test.ok ? exitCodes.ok : exitCodes.failed;
};

export const registerCatalogue: Register = (program: Command, run) => {
  program
    .command('models')
    .description('every model: what it costs and takes, and how long there is such a model')
    .option('--medium <medium>', 'video, image, speech or text')
    .option('--provider <provider>')
    .action(run((session, options: ModelOptions) => models(session, options)));
  const command = program
    .command('providers')
    .description('providers, their keys by alias, and how they did lately')
    .action(run((session) => providers(session)));
  command
    .command('test')
    .description('try a key with one free call; exit code 1 if it does not work')
    .argument('<provider>')
    .option('--credential <alias>', 'which key, where there are several')
    .action(run((session, id: string, options: { credential?: string }) => testProvider(session, id, options)));
};
