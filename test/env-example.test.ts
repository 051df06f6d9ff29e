import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readProcessConfig, readStackConfig, type Environment } from '../src/config';

/** An environment in which nothing is set, and which remembers what it was asked for. */
const createListener = (): { environment: Environment; asked: Set<string> } => {
  const asked = new Set<string>();
  const get = (_: object, name: string): undefined => void asked.add(name);
  return { environment: new Proxy<Environment>({}, { get }), asked };
};

const listRead = (): string[] => {
  const { environment, asked } = createListener();
  readStackConfig(environment);
  expect(() => readProcessConfig(environment)).toThrow('DATABASE_URL is not set');
  return [...asked];
};

const listShown = (): string[] => {
  const text = readFileSync(path.join(__dirname, '../.env.example'), 'utf8');
  return [...text.matchAll(/^# ([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name);
};

/** Told once at the top of the file or of a section, or none of the user's business. */
const isToldOnce = (name: string): boolean =>
  name.endsWith('_FILE') || /_API_KEY_[3-9]$/.test(name) || name.startsWith('MOCK_');

test('.env.example shows every variable that the configuration reads, and no other', () => {
  // Temporal's own configuration reads its variables itself
  const read = [...listRead().filter((name) => !isToldOnce(name)), 'TEMPORAL_NAMESPACE', 'SURESHOT_URL'];
  expect(listShown().sort()).toEqual(read.sort());
});
