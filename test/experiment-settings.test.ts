import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readSettingsFile } from '../src/settings';

const folder = mkdtempSync(path.join(tmpdir(), 'sureshot-experiments-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = path.join(folder, 'settings.yaml');

/** Each without the file it names. */
const problemsOf = (...experiments: object[]): string[] => {
  writeFileSync(file, JSON.stringify({ experiments }));
  return readSettingsFile(file).problems.map((line) => line.slice(file.length + 2));
};

const experiment = (changes: object = {}) => ({
  ...{ name: 'veo-first', percent: 10, by: 'user', medium: 'video', model: 'fal/veo3.1' },
  ...changes,
});

test.each(['fal/veo3.1', 'fal-ai/veo3.1', 'veo-3.1'])('the model %s can be tried', (model) => {
  expect(problemsOf(experiment({ model }))).toEqual([]);
});

test('several of a medium fit where they have at most all of its subjects', () => {
  const shares = (...percents: number[]) =>
    percents.map((percent, index) => experiment({ name: `e${index}`, percent }));
  expect(problemsOf(...shares(50, 50))).toEqual([]);
  expect(
    problemsOf(...Array.from({ length: 10 }, (_, index) => experiment({ name: `e${index}`, percent: 10 }))),
  ).toEqual([]);
  expect(problemsOf(...shares(0.1, 0.2, 99.7))).toEqual([]);
  expect(problemsOf(...shares(50, 50.1))).toEqual([
    'experiments of the medium video have 100.1 percent together: at most 100',
  ]);
  const image = experiment({ name: 'flux-first', percent: 100, medium: 'image', model: 'fal/flux/dev' });
  expect(problemsOf(...shares(50, 50), image)).toEqual([]);
});

test.each<[problem: string, changes: object]>([
  ['experiments.0.model fal/nothing is no video model', { model: 'fal/nothing' }],
  ['experiments.0.model fal/flux/dev is no video model', { model: 'fal/flux/dev' }],
  ['experiments.0.model auto is no video model', { model: 'auto' }],
])('a model that there is not for the medium is refused: %s', (problem, changes) => {
  expect(problemsOf(experiment(changes))).toEqual([problem]);
});

test('two of one name are refused', () => {
  const twice = [experiment(), experiment({ percent: 20 })];
  expect(problemsOf(...twice)).toEqual(['experiments.1.name veo-first is there already']);
});

test.each<[path: string, changes: object]>([
  ['experiments.0.name', { name: 'veo:control' }],
  ['experiments.0.name', { name: 'one,two' }],
  ['experiments.0.name', { name: '' }],
  ['experiments.0.percent', { percent: 100.5 }],
  ['experiments.0.percent', { percent: -1 }],
  ['experiments.0.by', { by: 'key' }],
  ['experiments.0.medium', { medium: 'smell' }],
  ['experiments.0.share', { share: 10 }],
])('%s is refused in %j', (place, changes) => {
  const problems = problemsOf(experiment(changes));
  expect(problems.map((line) => line.split(' ')[0])).toEqual([place]);
});
