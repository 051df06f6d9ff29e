import type { Logger } from 'pino';
import type { Vault } from './activities/dependencies';
import type { CredentialSetup } from './config';
import type { Credential } from './providers/provider';
import type { Database } from './stores/database';
import {
  listProviderCredentials,
  syncEnvironmentKeys,
  type NamedKey,
  type ProviderCredentialRow,
} from './stores/provider-credentials';

/** By provider. */
type Credentials = Readonly<Record<string, readonly Credential[]>>;

type Source = { database: Database; environment: Credentials; logger: Logger };

const everyMs = 1_000;

/** One look at a time. Whoever asks while one runs gets the next one: what was just written is seen by it. */
const oneAtATime = (look: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | null = null;
  let upcoming: Promise<void> | null = null;
  const start = (): Promise<void> => {
    running = look().finally(() => (running = null));
    return running;
  };
  return () => {
    if (upcoming) return upcoming;
    if (!running) return start();
    upcoming = running.then(() => {
      upcoming = null;
      return start();
    });
    return upcoming;
  };
};

type Follower = { refresh(): Promise<void>; close(): void };

/** Looks at the table every second. While the database is away, what was seen last stands. */
const followTable = (
  { database, logger }: Source,
  see: (rows: readonly ProviderCredentialRow[]) => Promise<void> | void,
): Follower => {
  let isAway = false;
  let isClosed = false;
  const look = async (): Promise<void> => {
    try {
      await see(await listProviderCredentials(database));
      if (isAway) logger.info('the keys of providers can be read again');
      isAway = false;
    } catch (error) {
      // its message may say where the database is
      const { name, code } = error as { name?: string; code?: string };
      if (!isAway && !isClosed)
        logger.warn({ error: { name, code } }, 'the keys of providers cannot be read: the last ones stay');
      isAway = true;
    }
  };
  const refresh = oneAtATime(look);
  const timer = setInterval(() => void refresh(), everyMs).unref();
  return {
    refresh,
    close: () => {
      isClosed = true;
      clearInterval(timer);
    },
  };
};

const groupByProvider = <Thing extends { provider: string }>(
  things: readonly Thing[],
): ReadonlyMap<string, Thing[]> => {
  const groups = new Map<string, Thing[]>();
  for (const thing of things) groups.set(thing.provider, [...(groups.get(thing.provider) ?? []), thing]);
  return groups;
};

const has = (alias: string) => (thing: { alias: string }) => thing.alias === alias;

/** The keys as the API knows them: their names. */
export type KeyNames = Follower & {
  aliases(): ReadonlyMap<string, readonly string[]>;
  /** Providers with at least one key. */
  configured(): ReadonlySet<string>;
};

/** The environment's names count at once, whether or not a worker has started with them. */
const namesIn = (
  environment: Credentials,
  rows: readonly ProviderCredentialRow[],
): ReadonlyMap<string, readonly string[]> => {
  const groups = groupByProvider(rows);
  const providers = [...new Set([...Object.keys(environment), ...groups.keys()])];
  return new Map(
    providers.map((provider) => {
      const own = environment[provider] ?? [];
      const others = (groups.get(provider) ?? []).filter(({ alias }) => !own.some(has(alias)));
      return [provider, [...own, ...others].map(({ alias }) => alias)];
    }),
  );
};

const withAny = (names: ReadonlyMap<string, readonly unknown[]>): ReadonlySet<string> =>
  new Set([...names].filter(([, list]) => list.length > 0).map(([provider]) => provider));

/** Follows the names of all keys: the environment's and those given by API. */
export const followKeyNames = (source: Source): KeyNames => {
  let aliases = namesIn(source.environment, []);
  let configured = withAny(aliases);
  const follower = followTable(source, (rows) => {
    aliases = namesIn(source.environment, rows);
    configured = withAny(aliases);
  });
  return { ...follower, aliases: () => aliases, configured: () => configured };
};

/** The keys as a worker has them: with their secrets. */
export type CredentialPool = Follower & {
  /** By provider, the environment's in front. As of the last look. */
  credentials(): Credentials;
  /** At the start of a worker: says which keys the environment has, and puts each where every worker can open it. */
  announce(): Promise<void>;
};

type PoolSource = Source & {
  vault: Vault;
  setups: Readonly<Record<string, CredentialSetup>>;
  /** This provider had no key until now. */
  onFirstKey: (provider: string) => void;
};

const nameOf = ({ provider, alias, print }: NamedKey): string => `${provider}/${alias}/${print}`;

type Opened = Map<string, Credential | null>;

/**
 * The secret of a key that our own environment does not have: given by API, or of a worker that was started later. `null`:
 * nothing we have opens it, which is told once.
 */
const openRow = async (
  { vault, setups, logger }: PoolSource,
  row: ProviderCredentialRow,
  before: Opened,
): Promise<Credential | null> => {
  const { provider, alias, print } = row;
  const known = before.get(nameOf(row));
  if (known) return known;
  const kept = await vault.open(provider, alias, print);
  // where it applies says our own environment, as for every other key of the provider
  if (kept) return { baseUrl: null, ...setups[provider], alias, secret: kept.secret };
  if (known === undefined) logger.error({ provider, credential: alias }, 'a kept key cannot be opened and is left out');
  return null;
};

const isOwn = ({ vault, environment }: PoolSource, { provider, alias, print }: ProviderCredentialRow): boolean => {
  const own = environment[provider]?.find(has(alias));
  return own !== undefined && vault.printOf(own) === print;
};

const openRows = async (
  source: PoolSource,
  rows: readonly ProviderCredentialRow[],
  before: Opened,
): Promise<Opened> => {
  const foreign = rows.filter((row) => !isOwn(source, row));
  const opened = foreign.map(async (row) => [nameOf(row), await openRow(source, row, before)] as const);
  return new Map(await Promise.all(opened));
};

/**
 * What stands in the table is the truth about names: workers of which one was started before and one after a change of the
 * environment must mean the same key by a name. `isAnnounced`: what of our environment is not in the table has left it since.
 */
const compose = (
  { environment }: PoolSource,
  { rows, opened, isAnnounced }: { rows: readonly ProviderCredentialRow[]; opened: Opened; isAnnounced: boolean },
): Credentials => {
  const groups = groupByProvider(rows);
  const find = (provider: string, alias: string): Credential | null => {
    const own = environment[provider]?.find(has(alias)) ?? null;
    const row = groups.get(provider)?.find(has(alias));
    if (!row) return isAnnounced ? null : own;
    const foreign = opened.get(nameOf(row));
    return foreign === undefined ? own : foreign;
  };
  const found = [...namesIn(environment, rows)].map(([provider, aliases]) => {
    const credentials = aliases.map((alias) => find(provider, alias));
    return [provider, credentials.filter((credential) => credential !== null)];
  });
  return Object.fromEntries(found) as Credentials;
};

const listKeys = ({ environment, vault }: PoolSource): Promise<NamedKey[]> =>
  Promise.all(
    Object.entries(environment).flatMap(([provider, credentials]) =>
      credentials.map(async (credential) => {
        const print = await vault.keep(provider, credential);
        return { provider, alias: credential.alias, print };
      }),
    ),
  );

/** Follows all keys: the environment's, and those given by API, which the vault opens. */
export const followCredentials = (source: PoolSource): CredentialPool => {
  const { database, environment, logger, onFirstKey } = source;
  let credentials = environment;
  let opened: Opened = new Map();
  let isAnnounced = false;
  const follower = followTable(source, async (rows) => {
    opened = await openRows(source, rows, opened);
    const before = credentials;
    credentials = compose(source, { rows, opened, isAnnounced });
    for (const provider of Object.keys(credentials))
      if (credentials[provider]?.length && !before[provider]?.length) onFirstKey(provider);
  });
  const announce = async (): Promise<void> => {
    const changes = await syncEnvironmentKeys(database, await listKeys(source));
    if (changes.length > 0) logger.info({ changes }, 'the keys of the environment have changed');
    isAnnounced = true;
    await follower.refresh();
  };
  return { ...follower, credentials: () => credentials, announce };
};
