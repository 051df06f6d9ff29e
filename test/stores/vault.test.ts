import { createHash, randomBytes } from 'node:crypto';
import { connectDatabase, type Database } from '../../src/stores/database';
import { createVault, type EncryptionKey } from '../../src/stores/vault';
import { createTestDatabase, type TestDatabase } from '../support/database';

let testDatabase: TestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  database = connectDatabase({ url: testDatabase.url, poolSize: 5 });
});

afterEach(async () => {
  await database.$disconnect();
  await testDatabase.drop();
});

const keyNamed = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });
const old = keyNamed('2025');
const current = keyNamed('2026');

const credential = { alias: 'main', secret: 'sk-very-secret', baseUrl: null, adminKey: 'admin-secret' };
const print = createHash('sha256').update('sk-very-secret').digest('hex').slice(0, 16);
const open = (...keys: EncryptionKey[]) => createVault<typeof credential>(database, keys);

const rows = () => database.keptCredential.findMany({ orderBy: { alias: 'asc' } });
const idsOf = async () => (await rows()).map(({ sealed }) => sealed.split('.')[0]);

test('a key is opened by whoever knows where it is kept and what sealed it, also in another process', async () => {
  expect(await open(current).keep('fal', credential)).toBe(print);
  expect(await open(current).open('fal', 'main', print)).toEqual(credential);
  expect(await open(keyNamed('other'), current).open('fal', 'main', print)).toEqual(credential);
});

test('what is not kept, or sealed by a key that is not there, is nothing', async () => {
  const vault = open(current);
  await vault.keep('fal', credential);
  expect(await vault.open('fal', 'main', '0123456789abcdef')).toBeNull();
  expect(await vault.open('fal', 'other', print)).toBeNull();
  expect(await vault.open('runway', 'main', print)).toBeNull();
  expect(await open(old).open('fal', 'main', print)).toBeNull();
  expect(await open(keyNamed(current.id)).open('fal', 'main', print)).toBeNull();
});

test('the database holds nothing of it in the clear, and the same key never looks the same', async () => {
  await open(current).keep('fal', credential);
  await open(current).keep('runway', credential);
  const [first, second] = await rows();
  for (const { sealed } of [first, second].filter((row) => row !== undefined)) {
    const bytes = Buffer.from(sealed.split('.')[1] ?? '', 'base64').toString('latin1');
    expect(bytes).not.toMatch(/secret|main|admin/);
    expect(sealed).not.toMatch(/secret/);
  }
  expect(first?.sealed.slice(0, 21)).not.toBe(second?.sealed.slice(0, 21));
});

test.each<[string, (sealed: string) => { sealed?: string; provider?: string; alias?: string }]>([
  ['moved to another provider', () => ({ provider: 'runway' })],
  ['moved to another alias', () => ({ alias: 'other' })],
  ['altered', (sealed) => ({ sealed: sealed.replace(/.{8}$/, 'AAAAAAAA') })],
  ['cut', (sealed) => ({ sealed: sealed.slice(0, 20) })],
  ['emptied', () => ({ sealed: '' })],
])('what was %s opens no more', async (_what, change) => {
  const vault = open(current);
  await vault.keep('fal', credential);
  const [row] = await rows();
  await database.keptCredential.updateMany({ data: change(row?.sealed ?? '') });
  expect(await vault.open('fal', 'main', print)).toBeNull();
  expect(await vault.open('runway', 'main', print)).toBeNull();
  expect(await vault.open('fal', 'other', print)).toBeNull();
});

test('the same key is kept once, and another key of the same name beside it', async () => {
  const vault = open(current);
  await Promise.all([
    vault.keep('fal', credential),
    vault.keep('fal', credential),
    open(current).keep('fal', credential),
  ]);
  const [before] = await rows();
  await open(current).keep('fal', { ...credential, baseUrl: null });
  expect(await rows()).toEqual([before]);
  const changed = { ...credential, secret: 'sk-changed' };
  const another = await vault.keep('fal', changed);
  expect(await vault.open('fal', 'main', another)).toEqual(changed);
  expect(await vault.open('fal', 'main', print)).toEqual(credential);
});

test('a process asks the database once, and again after it failed', async () => {
  const vault = open(current);
  await database.$executeRaw`ALTER TABLE kept_credentials RENAME TO away`;
  await expect(vault.keep('fal', credential)).rejects.toThrow();
  await database.$executeRaw`ALTER TABLE away RENAME TO kept_credentials`;
  expect(await vault.keep('fal', credential)).toBe(print);
  await database.$executeRaw`DROP TABLE kept_credentials`;
  expect(await vault.keep('fal', credential)).toBe(print);
});

test('a key that nobody can open any more is kept anew', async () => {
  await open(old).keep('fal', credential);
  await open(current).keep('fal', credential);
  expect(await idsOf()).toEqual(['2026']);
  expect(await open(current).open('fal', 'main', print)).toEqual(credential);
});

test('a new key in front seals anew what older ones sealed, and leaves what it cannot open', async () => {
  const lost = keyNamed('lost');
  for (const [key, alias] of [
    [old, 'a'],
    [current, 'b'],
    [lost, 'c'],
    [keyNamed(old.id), 'd'],
  ] as const)
    await open(key).keep('fal', { ...credential, alias });
  const vault = open(current, old);
  expect(await vault.rewrap()).toBe(1);
  expect(await idsOf()).toEqual(['2026', '2026', 'lost', '2025']);
  expect(await open(current).open('fal', 'a', print)).toEqual({ ...credential, alias: 'a' });
  expect(await vault.rewrap()).toBe(0);
  expect(await open(current).rewrap()).toBe(0);
});

test('several batches are sealed anew at one start, by two workers at once', async () => {
  const vault = open(old);
  for (let number = 0; number < 120; number += 1) await vault.keep('fal', { ...credential, alias: `key-${number}` });
  const [one, other] = await Promise.all([open(current, old).rewrap(), open(current, old).rewrap()]);
  expect(one + other).toBe(120);
  expect(new Set(await idsOf())).toEqual(new Set(['2026']));
});
