import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { neutralEnvironment } from '../../src/embedded/child-environment';
import { startStack, type Stack } from '../../src/embedded/stack';
import { readStackConfig } from '../../src/config';

declare global {
  var sharedPostgres: Stack | undefined;
}

/** Nothing of the developer's environment: tests never meet a real key, database or server. */
export default async (): Promise<void> => {
  const home = await mkdtemp(path.join(tmpdir(), 'sureshot-test-'));
  const environment = { ...neutralEnvironment(process.env), SURESHOT_HOME: home, PORT: '0' };
  const config = readStackConfig(environment);
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  globalThis.sharedPostgres = await startStack({ config, environment, log, pieces: ['postgres'] });
  process.env['TEST_DATABASE_URL'] = globalThis.sharedPostgres.databaseUrl ?? '';
};
