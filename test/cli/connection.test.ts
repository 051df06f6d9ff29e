import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findConnection } from '../../src/cli/connection';
import { makeFolder, removeFolder } from './command-line';

const home = makeFolder();
afterAll(() => removeFolder(home));

mkdirSync(home, { recursive: true });
writeFileSync(path.join(home, 'api-key'), 'sk_dev_of_this_home\n');
const keyFile = path.join(home, 'key');
writeFileSync(keyFile, 'sk_of_a_file\n');

const environment = { SURESHOT_HOME: home };

test('the address comes from the option, else the environment, else it is this machine', () => {
  const set = { ...environment, SURESHOT_URL: 'https://api.example.com/sureshot' };
  expect(findConnection({ url: 'http://localhost:4000' }, set).url.href).toBe('http://localhost:4000/');
  expect(findConnection({}, set).url.href).toBe('https://api.example.com/sureshot');
  expect(findConnection({}, environment).url.href).toBe('http://127.0.0.1:3000/');
});

test('the key comes from the option, the environment, a file, and at last the home of the embedded stack', () => {
  const all = { ...environment, SURESHOT_API_KEY: 'sk_of_a_variable', SURESHOT_API_KEY_FILE: keyFile };
  expect(findConnection({ apiKey: 'sk_of_an_option' }, all).apiKey).toBe('sk_of_an_option');
  expect(findConnection({}, all).apiKey).toBe('sk_of_a_variable');
  expect(findConnection({}, { ...all, SURESHOT_API_KEY: '' }).apiKey).toBe('sk_of_a_file');
  expect(findConnection({}, environment).apiKey).toBe('sk_dev_of_this_home');
  expect(findConnection({}, { SURESHOT_HOME: path.join(home, 'nowhere') }).apiKey).toBeNull();
});

test('the key of the home is not shown to another machine', () => {
  expect(findConnection({ url: 'https://api.example.com' }, environment).apiKey).toBeNull();
  expect(findConnection({ url: 'http://[::1]:3000' }, environment).apiKey).toBe('sk_dev_of_this_home');
});

test('a key file that cannot be read is said', () => {
  const missing = path.join(home, 'nowhere');
  expect(() => findConnection({}, { SURESHOT_API_KEY_FILE: missing })).toThrow(missing);
});
