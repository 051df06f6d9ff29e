import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { findPostgresBinaries } from './postgres-binaries';
import * as clusters from './postgres-cluster';
import { chooseServerUser } from './postgres-user';
import { errorCode, StackError } from './stack-error';
import type { ChildSpec } from './child-run';

export type PostgresOptions = { home: string; port: number; password: string };

const databaseName = 'sureshot';

const postgresUrl = (options: PostgresOptions, database = databaseName): string =>
  `postgresql://${clusters.databaseUser}:${options.password}@127.0.0.1:${options.port}/${database}`;

/** `ssl: false` because the library would otherwise take PGSSLMODE from the user's environment. */
const connect = async (options: PostgresOptions): Promise<Client> => {
  const client = new Client({
    connectionString: postgresUrl(options, 'postgres'),
    ssl: false,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

const retryMs = 50;
const wrongPassword = '28P01';

/** Recovery after a crash may take its time: as long as the process lives, it is asked again. */
const connectWhenReady = async (options: PostgresOptions, over: AbortSignal): Promise<Client> => {
  for (;;) {
    try {
      return await connect(options);
    } catch (error) {
      if (errorCode(error) === wrongPassword) {
        throw new StackError(
          `the home is damaged: its data was made with another password than ${options.home}/postgres-password holds`,
        );
      }
      await delay(retryMs, undefined, { signal: over });
    }
  }
};

const ensureDatabase = async (options: PostgresOptions, over: AbortSignal): Promise<void> => {
  const client = await connectWhenReady(options, over);
  try {
    const found = await client.query('SELECT FROM pg_database WHERE datname = $1', [databaseName]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`);
  } finally {
    await client.end();
  }
};

const serverArguments = (data: string, port: number): string[] => {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'logging_collector=off',
    'log_checkpoints=off',
  ];
  return ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
};

/** Finds or makes the data, and says how the server is run on it. */
export const preparePostgres = async (options: PostgresOptions): Promise<{ spec: ChildSpec; databaseUrl: string }> => {
  const user = chooseServerUser(clusters.clusterLink(options.home));
  const binaries = findPostgresBinaries(user);
  // Damage is named before owners and modes, which suffer from it too.
  clusters.hasData(clusters.dataFolder({ folder: clusters.clusterLink(options.home) }), binaries.majorVersion);
  const folder = clusters.placeCluster(options.home, user);
  const data = clusters.dataFolder({ folder });
  await clusters.endLeftovers(data);
  await clusters.ensureData({ folder, user, binaries, password: options.password });
  const spec: ChildSpec = {
    name: 'postgres',
    prepare: () => clusters.endLeftovers(data),
    launch: () => {
      const child = { ...user, cwd: '/', env: clusters.serverEnvironment, detached: true };
      return spawn(binaries.postgres, serverArguments(data, options.port), {
        ...child,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    waitUntilReady: (_child, over) => ensureDatabase(options, over),
    failsFast: true,
    // Fast shutdown; then the immediate one, by which the server still ends its backends itself.
    stopSignals: ['SIGINT', 'SIGQUIT'],
    stopTimeoutMs: 15_000,
    findImportant: (line) => (/\bPANIC\b/.test(line) ? line : null),
  };
  return { spec, databaseUrl: postgresUrl(options) };
};
