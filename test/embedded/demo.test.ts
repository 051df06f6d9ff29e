import * as fs from 'node:fs';
import path from 'node:path';
import * as projects from './project';

let folder: string;
let project: string;

beforeAll(() => {
  folder = projects.makeFolder();
  project = projects.makeProject(path.join(folder, 'project'));
});

afterAll(() => projects.endEverything(folder));

const readEnvironment = (): Record<string, string> =>
  JSON.parse(fs.readFileSync(path.join(project, 'home/demo/environment-api.json'), 'utf8')) as Record<string, string>;

test('makes one generation of each medium and ignores keys and addresses of the environment', async () => {
  const environment = {
    FAL_KEY: 'a-real-key',
    OPENAI_API_KEY: 'a-real-key',
    OPENAI_BASE_URL: 'https://example.com/v1',
    DATABASE_URL: 'postgresql://somewhere/else',
    TEMPORAL_ADDRESS: 'somewhere:7233',
    SURESHOT_CONFIG: '/nowhere.yaml',
    PORT: '1',
  };
  const run = projects.runMain(project, 'demo', { environment });
  expect(await run.ended).toBe(0);
  const lines = run.output().trimEnd().split('\n').slice(-4);
  for (const [index, medium] of ['video', 'image', 'speech', 'text'].entries()) {
    const file = path.join(project, `home/demo/output/gen_${medium}.png`);
    expect(lines[index]).toBe(`gen_${medium}  succeeded  runway → fal  $0.05  ${file}`);
    expect(fs.readFileSync(file, 'utf8')).toBe('the bytes');
  }
  expect(JSON.stringify(readEnvironment())).not.toContain('a-real-key');
  expect(readEnvironment()['DATABASE_URL']).toContain('127.0.0.1');
  expect(projects.listProcessesOf(project)).toEqual([]);
});

test('exits with 1 when a generation fails, naming its error', async () => {
  const run = projects.runMain(project, 'demo', { words: ['--medium', 'image', '--prompt', 'a broken bicycle'] });
  expect(await run.ended).toBe(1);
  expect(run.output().trimEnd().split('\n').at(-1)).toBe(
    'gen_broken  failed  runway → fal  $0.05  provider_failed: it broke',
  );
});

test.each([
  [['--medium', 'opera'], 'there is no medium "opera"'],
  [['--loud'], "Unknown option '--loud'"],
  [['--prompt', ' '], '--prompt is empty'],
])('refuses %j', async (words, line) => {
  const run = projects.runMain(project, 'demo', { words });
  expect(await run.ended).toBe(2);
  expect(run.output()).toContain(`sureshot: ${line}`);
  expect(run.output()).toContain('usage: npm run demo');
});
