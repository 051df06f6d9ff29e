import { parseArgs } from 'node:util';
import { fetchHistories, saveHistories } from './history-files';

// npm run history -- <generation id> --name <shape> [--address host:port]
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' }, address: { type: 'string', default: '127.0.0.1:7233' } },
});
const [generationId] = positionals;

const run = async (id: string): Promise<void> => {
  const histories = await fetchHistories(values.address, id);
  for (const name of await saveHistories(values.name ?? id, histories))
    process.stdout.write(`test/replay/histories/${name}\n`);
};

if (generationId === undefined) {
  process.stderr.write('usage: npm run history -- <generation id> --name <shape> [--address host:port]\n');
  process.exitCode = 2;
} else {
  run(generationId).catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}
