import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { fetchGeneration, saveHistories } from './history-files';

const usage = 'usage: npm run history -- <generation id> [--name <shape>] [--address host:port] [--namespace name]\n';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' }, address: { type: 'string' }, namespace: { type: 'string' } },
});
const [generationId] = positionals;

type Place = { connection: ConnectionOptions; namespace: string };

/** The server of `npm start` in this folder; its port is another one in every home. */
const findEmbedded = (): string | undefined => {
  const file = path.join(process.env['SURESHOT_HOME'] ?? '.sureshot', 'ports.json');
  if (!existsSync(file)) return undefined;
  const { temporal } = JSON.parse(readFileSync(file, 'utf8')) as { temporal?: number };
  return temporal === undefined ? undefined : `127.0.0.1:${temporal}`;
};

const addressOf = (configured: string | undefined): string | undefined => {
  if (values.address !== undefined) return values.address;
  return process.env['TEMPORAL_ADDRESS'] === undefined ? (findEmbedded() ?? configured) : configured;
};

/** As the processes find it (`TEMPORAL_ADDRESS`, its key and certificates), else the embedded one. */
const findServer = (): Place => {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const { address, tls, apiKey, metadata } = connectionOptions;
  const found = addressOf(address);
  const connection = {
    ...(found !== undefined && { address: found }),
    ...(tls !== undefined && tls !== null && { tls }),
    ...(apiKey !== undefined && { apiKey }),
    ...(metadata !== undefined && { metadata }),
  };
  return { connection, namespace: values.namespace ?? namespace };
};

const run = async (id: string): Promise<void> => {
  const { connection: options, namespace } = findServer();
  const connection = await Connection.connect(options);
  try {
    const histories = await fetchGeneration(new Client({ connection, namespace }), id);
    if (histories.size === 0) throw new Error(`${options.address ?? 'the server'} has no history of ${id}`);
    for (const name of await saveHistories(values.name ?? id, histories))
      process.stdout.write(`test/replay/histories/${name}\n`);
  } finally {
    await connection.close();
  }
};

if (generationId === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  run(generationId).catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}
