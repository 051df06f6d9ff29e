import { defaultSettings } from '../src/settings';
import { toActivitySettings } from '../src/worker-dependencies';
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
