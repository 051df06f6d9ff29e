import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigError, providerIds, readProcessConfig, readStackConfig, type Environment } from '../src/config';

const folder = mkdtempSync(path.join(tmpdir(), 'sureshot-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const fileWith = (content: string): string => {
  files += 1;
  const file = path.join(folder, `file-${files}`);
  writeFileSync(file, content);
  return file;
};

const secret = 'sixteen characters or more';
const process_: Environment = {
  DATABASE_URL: 'postgresql://db.internal/sureshot',
  TEMPORAL_ADDRESS: 'temporal.internal:7233',
  SURESHOT_SECRET: secret,
};

const read = (overrides: Environment = {}) => readProcessConfig({ ...process_, ...overrides });
const stack = (overrides: Environment = {}) => readStackConfig(overrides);

const problemsOf = (work: () => unknown): readonly string[] => {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

const settingsFrom = (text: string) => read({ SURESHOT_CONFIG: fileWith(text) }).settings;

test('starts from three variables, with the defaults of the contract', () => {
  const { settings, credentials, ...config } = read();
  expect(config).toMatchObject({
    port: 3000,
    host: '127.0.0.1',
    databaseUrl: 'postgresql://db.internal/sureshot',
    secret,
    apiKey: null,
    temporalUiUrl: null,
    corsOrigins: [],
    logLevel: 'info',
    storagePath: path.resolve('.sureshot/blobs'),
  });
  expect(settings).toMatchObject({
    polling: { scale: 1 },
    ambiguity: { resubmitUpToUsd: '0.05', holdHours: 24 },
    retry: { attempts: 3, initialSeconds: 1, maximumSeconds: 30, factor: 2 },
  });
  expect(Object.values(credentials).flat()).toEqual([]);
});

test('lists every problem at once, what is missing next to what is wrong', () => {
  const problems = problemsOf(() =>
    readProcessConfig({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      SURESHOT_API_KEY: 'short',
      STORAGE_URL: 'ftp://somewhere',
      FAL_BASE_URL: 'fal.run',
      OPENAI_API_KEY_FILE: path.join(folder, 'nowhere'),
      SURESHOT_CONFIG: fileWith('polling: { scale: -1 }'),
      TEMPORAL_CONFIG_FILE: path.join(folder, 'nowhere.toml'),
    }),
  ).join('\n');
  for (const name of [
    'PORT',
    'LOG_LEVEL',
    'SURESHOT_API_KEY',
    'STORAGE_URL',
    'FAL_BASE_URL',
    'OPENAI_API_KEY_FILE',
    'polling.scale',
    'DATABASE_URL is not set',
    'TEMPORAL_ADDRESS is not set',
    'SURESHOT_SECRET is not set',
  ])
    expect(problems).toContain(name);
});

test('the error shows each problem on a line of its own and no secret', () => {
  const wrong = { SURESHOT_SECRET: 'hush', DATABASE_URL: 'mysql://root:hunter2@db' };
  expect(() => read(wrong)).toThrow(/^the configuration cannot be used:\n {2}- .+\n {2}- .+$/);
  expect(() => read(wrong)).not.toThrow(/hush|hunter2/);
});

test.each([
  ['DATABASE_URL', 'postgresql://from.file/db'],
  ['SURESHOT_SECRET', 'a secret from a file'],
  ['SURESHOT_API_KEY', 'an api key from a file'],
  ['PUBLIC_URL', 'https://from.file'],
  ['OPENAI_API_KEY', 'a provider key from a file'],
  ['GEMINI_API_KEY', 'the key as the SDK names it'],
  ['FAL_API_KEYS', 'several=from,one=file'],
])('%s_FILE gives its content, without the line break at the end', (name, value) => {
  const config = read({ [name]: '', [`${name}_FILE`]: fileWith(`${value}\n`) });
  const secrets = Object.values(config.credentials).flatMap((keys) => keys.map((key) => key.secret));
  const seen = [config.databaseUrl, config.secret, config.apiKey, config.publicUrl, ...secrets];
  expect(seen).toContain(name === 'FAL_API_KEYS' ? 'from' : value);
});

test('the variable itself counts before its file, and a file that cannot be read is a problem', () => {
  expect(read({ SURESHOT_SECRET_FILE: path.join(folder, 'nowhere') }).secret).toBe(secret);
  const unreadable = { SURESHOT_SECRET: '', SURESHOT_SECRET_FILE: path.join(folder, 'nowhere') };
  expect(problemsOf(() => read(unreadable)).join('\n')).toContain('SURESHOT_SECRET_FILE names a file');
});

test('an empty variable counts as unset', () => {
  expect(read({ PORT: '', LOG_LEVEL: '', FAL_KEY: '', SURESHOT_CONFIG: '' })).toMatchObject({ port: 3000 });
});

test('POSTGRES_URL stands in for DATABASE_URL, which counts first', () => {
  const alias = { DATABASE_URL: '', POSTGRES_URL: 'postgres://alias/db' };
  expect(read(alias).databaseUrl).toBe('postgres://alias/db');
  expect(stack(alias).databaseUrl).toBe('postgres://alias/db');
  expect(read({ POSTGRES_URL: 'postgres://alias/db' }).databaseUrl).toBe(process_['DATABASE_URL']);
  const file = { DATABASE_URL: '', POSTGRES_URL_FILE: fileWith('postgres://alias/file') };
  expect(read(file).databaseUrl).toBe('postgres://alias/file');
});

test.each([
  ['an unknown key', 'colour: red', 'colour'],
  ['an unknown key deep down', 'polling: { scal: 1 }', 'polling.scal'],
  ['a value out of range', 'retry: { attempts: 11 }', 'retry.attempts'],
  ['an amount that is none', 'ambiguity: { resubmitUpToUsd: "a lot" }', 'ambiguity.resubmitUpToUsd'],
  ['an amount below zero', 'ambiguity: { resubmitUpToUsd: "-1" }', 'ambiguity.resubmitUpToUsd'],
  ['what is no mapping', '- 1', ''],
  ['what is no YAML', '{ "polling": ', 'cannot be read'],
])('SURESHOT_CONFIG with %s is refused with its path', (_what, text, path_) => {
  const file = fileWith(text);
  const problems = problemsOf(() => read({ SURESHOT_CONFIG: file }));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(file);
  expect(problems[0]).toContain(path_);
  expect(problemsOf(() => stack({ SURESHOT_CONFIG: file }))).toEqual(problems);
});

test('SURESHOT_CONFIG may be empty, YAML or JSON, and takes amounts as numbers too', () => {
  expect(settingsFrom('')).toEqual(read().settings);
  expect(settingsFrom('polling: { scale: 0.1 }').polling.scale).toBe(0.1);
  expect(settingsFrom('{"ambiguity": {"resubmitUpToUsd": 0.00000001}}').ambiguity.resubmitUpToUsd).toBe('0.00000001');
  expect(settingsFrom('ambiguity: { resubmitUpToUsd: "1.50" }').ambiguity.resubmitUpToUsd).toBe('1.5');
  expect(problemsOf(() => read({ SURESHOT_CONFIG: path.join(folder, 'nowhere') }))[0]).toContain('SURESHOT_CONFIG');
});

const keysOf = (environment: Environment, provider = 'openai') =>
  (read(environment).credentials[provider] ?? []).map(({ alias, secret: key }) => [alias, key]);

test('keys come from the list, the single names and the names of the SDKs, in this order', () => {
  expect(keysOf({ OPENAI_API_KEYS: 'main=sk-1, sk-2,', OPENAI_API_KEY: 'sk-3', OPENAI_API_KEY_9: 'sk-4' })).toEqual([
    ['main', 'sk-1'],
    ['key-2', 'sk-2'],
    ['key-3', 'sk-3'],
    ['key-4', 'sk-4'],
  ]);
  expect(keysOf({ FAL_KEY: 'id:hex' }, 'fal')).toEqual([['key-1', 'id:hex']]);
  expect(keysOf({ RUNWAYML_API_SECRET: 'key_1' }, 'runway')).toEqual([['key-1', 'key_1']]);
  const account = { CLOUDFLARE_ACCOUNT_ID: 'account' };
  expect(keysOf({ CLOUDFLARE_API_TOKEN: 'token', ...account }, 'cloudflare')).toEqual([['key-1', 'token']]);
  expect(keysOf({ GEMINI_API_KEY: 'same', GOOGLE_API_KEY: 'same' }, 'google')).toEqual([['key-1', 'same']]);
});

test('a key may hold an equals sign: nothing of it becomes an alias', () => {
  expect(keysOf({ OPENAI_API_KEY: 'c2VjcmV0a2V5=' })).toEqual([['key-1', 'c2VjcmV0a2V5=']]);
  expect(keysOf({ OPENAI_API_KEY: 'abc=def' })).toEqual([['key-1', 'abc=def']]);
  expect(keysOf({ OPENAI_API_KEYS: 'c2VjcmV0a2V5==,main=a=b=' })).toEqual([
    ['key-1', 'c2VjcmV0a2V5=='],
    ['main', 'a=b='],
  ]);
});

test('an alias twice is a problem that shows no key', () => {
  const problems = problemsOf(() => read({ OPENAI_API_KEYS: 'main=sk-1,main=sk-2' }));
  expect(problems).toEqual(['OPENAI_API_KEYS uses the alias main twice']);
});

test('a base URL goes to every key of its provider, without a slash at the end', () => {
  const { credentials } = read({ OPENAI_API_KEYS: 'a=1,b=2', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1/', FAL_KEY: 'x' });
  expect(credentials['openai']?.map(({ baseUrl }) => baseUrl)).toEqual(Array(2).fill('http://127.0.0.1:9/v1'));
  expect(credentials['fal']?.[0]?.baseUrl).toBeNull();
  expect(problemsOf(() => read({ OPENAI_BASE_URL: 'ftp://x' }))[0]).toContain('OPENAI_BASE_URL');
});

describe('the account of Cloudflare', () => {
  const accountsIn = (environment: Environment) =>
    Object.fromEntries(
      Object.entries(read(environment).credentials).map(([provider, keys]) => [
        provider,
        keys.map((key) => key.accountId),
      ]),
    );

  test('goes to every key of Cloudflare and to no other', () => {
    const keys = { CLOUDFLARE_API_KEYS: 'a=1,b=2', FAL_KEY: 'x' };
    const accounts = accountsIn({ ...keys, CLOUDFLARE_ACCOUNT_ID: 'account' });
    expect(accounts).toMatchObject({ cloudflare: ['account', 'account'], fal: [undefined] });
    const filed = accountsIn({ ...keys, CLOUDFLARE_ACCOUNT_ID_FILE: fileWith('from file\n') });
    expect(filed['cloudflare']).toEqual(['from file', 'from file']);
  });

  test.each(['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_API_KEY', 'CLOUDFLARE_API_KEYS'])('is needed with %s', (name) => {
    const problem = 'CLOUDFLARE_ACCOUNT_ID is not set, but a Cloudflare key is';
    expect(problemsOf(() => read({ [name]: 'token' }))).toEqual([problem]);
    expect(problemsOf(() => stack({ [name]: 'token' }))).toEqual([problem]);
  });

  test('is not needed without a key', () => {
    expect(accountsIn({})['cloudflare']).toEqual([]);
    expect(accountsIn({ CLOUDFLARE_ACCOUNT_ID: 'account' })['cloudflare']).toEqual([]);
  });
});

describe('a gateway in front of OpenAI', () => {
  const gatewaysOf = (environment: Environment) =>
    (read({ OPENAI_API_KEYS: 'a=1,b=2', ...environment }).credentials['openai'] ?? []).map(({ gateway }) => gateway);
  const url = 'https://gateway.example/v1/openai';

  test('goes to every key of it, without a slash at the end', () => {
    const gateway = { url, key: 'gateway key', modelPrefix: 'openai/' };
    const variables = {
      OPENAI_GATEWAY_URL: `${url}/`,
      OPENAI_GATEWAY_KEY: 'gateway key',
      OPENAI_GATEWAY_MODEL_PREFIX: 'openai/',
    };
    expect(gatewaysOf(variables)).toEqual([gateway, gateway]);
    const filed = { ...variables, OPENAI_GATEWAY_KEY: '', OPENAI_GATEWAY_KEY_FILE: fileWith('gateway key\n') };
    expect(gatewaysOf(filed)).toEqual([gateway, gateway]);
    expect(read({ ...variables, FAL_KEY: 'x' }).credentials['fal']?.[0]).not.toHaveProperty('gateway');
  });

  test('needs neither a key of its own nor a prefix', () => {
    expect(gatewaysOf({ OPENAI_GATEWAY_URL: url })[0]).toEqual({ url, key: null, modelPrefix: '' });
    expect(gatewaysOf({})).toEqual([undefined, undefined]);
  });

  test.each([
    [{ OPENAI_GATEWAY_KEY: 'hush' }, 'OPENAI_GATEWAY_URL is not set, but its key or model prefix is'],
    [{ OPENAI_GATEWAY_MODEL_PREFIX: 'openai/' }, 'OPENAI_GATEWAY_URL is not set, but its key or model prefix is'],
    [{ OPENAI_GATEWAY_URL: 'gateway.example' }, 'OPENAI_GATEWAY_URL must be a URL starting with http:// or https://'],
    [
      { OPENAI_GATEWAY_URL: 'ftp://x', OPENAI_GATEWAY_KEY: 'hush' },
      'OPENAI_GATEWAY_URL must be a URL starting with http:// or https://',
    ],
  ])('is a problem when it cannot be reached: %j', (variables, problem) => {
    expect(problemsOf(() => read(variables))).toEqual([problem]);
  });
});

describe('the keys of what is kept encrypted', () => {
  const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map((key) => key.toString('base64'));
  const keysIn = (text: string) =>
    read({ SURESHOT_ENCRYPTION_KEYS: text }).encryptionKeys.map(({ id, key }) => [id, key.toString('base64')]);

  test('without any there is one made of the secret, another for another secret', () => {
    const [[id, key] = []] = keysIn('');
    expect([id, Buffer.from(key ?? '', 'base64')]).toEqual(['secret', expect.objectContaining({ length: 32 })]);
    expect(keysIn('')).toEqual([[id, key]]);
    expect(read({ SURESHOT_SECRET: `${secret}!` }).encryptionKeys[0]?.key).not.toEqual(
      Buffer.from(key ?? '', 'base64'),
    );
    expect(key).not.toContain(secret);
  });

  test('come in their order, and the one made of the secret stays the last', () => {
    const [derived] = keysIn('');
    expect(keysIn(`yb=${second}, ya=${first}`)).toEqual([['yb', second], ['ya', first], derived]);
    const file = fileWith(`a=${first}\n`);
    expect(read({ SURESHOT_ENCRYPTION_KEYS_FILE: file }).encryptionKeys.map(({ id }) => id)).toEqual(['a', 'secret']);
  });

  test.each([
    ['a key without a name', first],
    ['a name without a key', 'a='],
    ['what is no base64', 'a=hush!hush!hush!hush!hush!hush!hush!hush!hush'],
    ['a key too short', `a=${Buffer.alloc(31, 7).toString('base64')}`],
    ['a key too long', `a=${Buffer.alloc(33, 7).toString('base64')}`],
    ['the name of the one made of the secret', `secret=${first}`],
    ['a name twice', `a=${first},a=${second}`],
  ])('%s is a problem that shows no key', (_what, text) => {
    for (const act of [read, stack]) {
      const problems = problemsOf(() => act({ SURESHOT_ENCRYPTION_KEYS: text }));
      expect(problems).toEqual([expect.stringMatching(/^SURESHOT_ENCRYPTION_KEYS /)]);
      expect(problems.join()).not.toMatch(/hush|Bwc|AQE|AgI/);
    }
  });

  test('every problem of theirs is told at once', () => {
    const problems = problemsOf(() => read({ SURESHOT_ENCRYPTION_KEYS: 'a=1,2', PORT: 'x' })).join('\n');
    for (const part of ['entry 1', 'entry 2', 'PORT']) expect(problems).toContain(part);
  });
});

test('PUBLIC_URL is where others reach us, without a slash at the end', () => {
  expect(read().publicUrl).toBeNull();
  expect(read({ PUBLIC_URL: 'https://sureshot.example.com/' }).publicUrl).toBe('https://sureshot.example.com');
  expect(read({ PUBLIC_URL: 'https://example.com:8443/sureshot' }).publicUrl).toBe('https://example.com:8443/sureshot');
  for (const host of ['127.0.0.1:3000', 'localhost:3000', '[::1]:3000'])
    expect(read({ PUBLIC_URL: `http://${host}` }).publicUrl).toBe(`http://${host}`);
});

test.each([
  'sureshot.example.com',
  'http://sureshot.example.com',
  'http://127.example.com',
  'ftp://sureshot.example.com',
  'https://user:hush@sureshot.example.com',
  'https://sureshot.example.com/?a=hush',
  'https://sureshot.example.com/#top',
])('PUBLIC_URL %s is a problem', (url) => {
  for (const act of [read, stack]) {
    const problems = problemsOf(() => act({ PUBLIC_URL: url }));
    expect(problems).toEqual([expect.stringMatching(/^PUBLIC_URL must be a URL starting with https:/)]);
    expect(problems.join()).not.toContain('hush');
  }
});

test("the administrator's key of fal goes to every key of fal and to no other", () => {
  const adminKeysIn = (environment: Environment) => {
    const { credentials } = read({ FAL_API_KEYS: 'a=1,b=2', OPENAI_API_KEY: 'x', ...environment });
    return [...(credentials['fal'] ?? []), ...(credentials['openai'] ?? [])].map(({ adminKey }) => adminKey);
  };
  expect(adminKeysIn({})).toEqual([undefined, undefined, undefined]);
  expect(adminKeysIn({ FAL_ADMIN_KEY: 'admin' })).toEqual(['admin', 'admin', undefined]);
  expect(adminKeysIn({ FAL_ADMIN_KEY_FILE: fileWith('filed\n') })).toEqual(['filed', 'filed', undefined]);
});

test('tells where the settings came from, so that they can be followed', () => {
  const file = fileWith('polling: { scale: 0.5 }');
  expect(read({ SURESHOT_CONFIG: file })).toMatchObject({ settingsFile: file, settings: { polling: { scale: 0.5 } } });
  expect(read().settingsFile).toBeNull();
  expect(read({ SURESHOT_CONFIG: '' }).settingsFile).toBeNull();
});

test('the emulator serves everybody while nobody has a real key', () => {
  expect(stack().emulated).toEqual(providerIds);
  expect(stack({ MOCK_API_KEY: 'x' }).emulated).toEqual(providerIds);
  expect(stack({ FAL_KEY: 'x' }).emulated).toEqual([]);
  expect(stack({ FAL_KEY: 'x', SURESHOT_EMULATOR: 'on' }).emulated).toEqual(providerIds);
  expect(stack({ SURESHOT_EMULATOR: 'off' }).emulated).toEqual([]);
  expect(problemsOf(() => stack({ SURESHOT_EMULATOR: 'maybe' }))[0]).toContain('SURESHOT_EMULATOR');
});

test('the embedded stack needs nothing and leaves what is set to its owner', () => {
  expect(stack()).toMatchObject({ databaseUrl: null, temporalAddress: null, apiKey: null, secret: null });
  expect(path.isAbsolute(stack({ SURESHOT_HOME: 'some/where' }).home)).toBe(true);
  expect(stack({ TEMPORAL_ADDRESS: 'host:1' }).temporalAddress).toBe('host:1');
});

test.each(['/srv/blobs', '/srv/my blobs', '/srv/blöbs%20'])('a file URL of %s is that folder', (wanted) => {
  const { storageUrl } = stack({ SURESHOT_HOME: wanted });
  expect(read({ STORAGE_URL: storageUrl }).storagePath).toBe(path.join(wanted, 'blobs'));
  expect(read({ STORAGE_URL: `${storageUrl}/` }).storagePath).toBe(path.join(wanted, 'blobs'));
});

test('a file URL of another machine is a problem', () => {
  expect(problemsOf(() => read({ STORAGE_URL: 'file://nas/blobs' }))[0]).toContain('STORAGE_URL');
});

test('TEMPORAL_… variables reach the connection', () => {
  const { temporal } = read({ TEMPORAL_NAMESPACE: 'prod', TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'true' });
  expect(temporal.namespace).toBe('prod');
  expect(temporal.connectionOptions).toMatchObject({ address: 'temporal.internal:7233', apiKey: 'key' });
  expect(temporal.connectionOptions.tls).toBeTruthy();
});

test('TLS takes certificate and key from files, or refuses what cannot be read', () => {
  const { temporal } = read({
    TEMPORAL_TLS_CLIENT_CERT_PATH: fileWith('certificate'),
    TEMPORAL_TLS_CLIENT_KEY_PATH: fileWith('key'),
    TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
  });
  const tls = temporal.connectionOptions.tls as { clientCertPair?: object; serverNameOverride?: string };
  expect(tls.serverNameOverride).toBe('temporal.example');
  expect(tls.clientCertPair).toEqual({ crt: Buffer.from('certificate'), key: Buffer.from('key') });
  const missing = { TEMPORAL_TLS_CLIENT_CERT_PATH: path.join(folder, 'no'), TEMPORAL_TLS_CLIENT_KEY_PATH: folder };
  expect(problemsOf(() => read(missing))[0]).toContain('TEMPORAL_');
});

test('address and API key of Temporal come from files too', () => {
  const files_ = { TEMPORAL_ADDRESS_FILE: fileWith('from.file:7233\n'), TEMPORAL_API_KEY_FILE: fileWith('filed\n') };
  const { temporal } = read({ TEMPORAL_ADDRESS: '', ...files_ });
  expect(temporal.connectionOptions).toMatchObject({ address: 'from.file:7233', apiKey: 'filed' });
});

test('what was written for another process is left alone', () => {
  expect(read({ PATH: '/bin', NODE_ENV: 'production', SOME_API_KEY: 'x' }).port).toBe(3000);
});
