import { readProcessConfig } from '../src/config';
import { defaultSettings } from '../src/settings';
import { createWorkerDependencies, toActivitySettings } from '../src/worker-dependencies';
import { versionedAs } from '../src/workers';
import { modelOf } from './support/provider-calls';

const gateway = { url: 'https://gateway.example/v1', key: null, modelPrefix: 'openai/' };
const background = modelOf('openai/gpt-5.5');
const atOnce = modelOf('anthropic/claude-haiku-5-5');

test('a submit may take as long as the work where the answer is the result, through a gateway always', () => {
  const settings = toActivitySettings(defaultSettings);
  expect(settings.submitTimeoutMs(background, null)).toBe(60_000);
  expect(settings.submitTimeoutMs(background, { gateway })).toBe(background.maximumSeconds * 1000);
  expect(settings.submitTimeoutMs(atOnce, null)).toBe(atOnce.maximumSeconds * 1000);
});

test('the time and the tries of a provider come before those of all', () => {
  const retry = { attempts: 1, initialSeconds: 2, maximumSeconds: 4, factor: 1 };
  const openai = { enabled: true, priority: 100, weight: 1, models: {}, timeoutMs: 7_000, retry };
  const settings = toActivitySettings({ ...defaultSettings, providers: { openai } });
  expect(settings.submitTimeoutMs(background, { gateway })).toBe(7_000);
  expect(settings.retryOf('openai')).toEqual(retry);
  expect(settings.retryOf('anthropic')).toEqual(defaultSettings.retry);
});

test('what is held, kept and searched for follows the settings', () => {
  const settings = toActivitySettings(defaultSettings);
  expect([settings.holdMs, settings.store('openai'), settings.orphansEverySeconds]).toEqual([86_400_000, false, 600]);
  const openai = { enabled: true, priority: 100, weight: 1, models: {}, store: true };
  const changed = toActivitySettings({
    ...defaultSettings,
    providers: { openai },
    ambiguity: { ...defaultSettings.ambiguity, holdHours: 0.5 },
    reconcile: { ...defaultSettings.reconcile, orphansEverySeconds: 7 },
  });
  expect([changed.holdMs, changed.orphansEverySeconds]).toEqual([1_800_000, 7]);
  expect([changed.store('openai'), changed.store('fal')]).toEqual([true, false]);
});

test('workers have a version once there is a build id', () => {
  const { versioning } = defaultSettings;
  expect(versionedAs(versioning)).toEqual({});
  expect(versionedAs({ ...versioning, buildId: '1.4.2' })).toEqual({
    workerDeploymentOptions: {
      useWorkerVersioning: true,
      version: { deploymentName: 'sureshot', buildId: '1.4.2' },
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  });
  expect(versionedAs({ behavior: 'pinned', deployment: 'eu', buildId: '2' }).workerDeploymentOptions).toMatchObject({
    version: { deploymentName: 'eu', buildId: '2' },
    defaultVersioningBehavior: 'PINNED',
  });
});

const key = { generationId: 'gen_01KAKQ5V9Z0000000000000000', number: 2 };

test.each([
  [
    'https://sureshot.example.com/',
    /^https:\/\/sureshot\.example\.com\/webhooks\/providers\/fal\/gen_01\w+\.2\.[\w-]{43}$/,
  ],
  ['', null],
])('with PUBLIC_URL %j a provider is told where to call', async (publicUrl, wanted) => {
  const { dependencies, close } = createWorkerDependencies(
    readProcessConfig({
      DATABASE_URL: 'postgresql://nowhere.invalid/sureshot',
      TEMPORAL_ADDRESS: 'nowhere.invalid:7233',
      SURESHOT_SECRET: 'sixteen characters or more',
      LOG_LEVEL: 'silent',
      PUBLIC_URL: publicUrl,
    }),
  );
  const url = dependencies.callbackUrlFor('fal', key);
  await close();
  expect(url).toEqual(wanted === null ? null : expect.stringMatching(wanted));
});
