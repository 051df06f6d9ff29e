import { createServer, type AddressInfo, type Server } from 'node:net';
import { connectDatabase } from '../../src/stores/database';
import { createTestDatabase } from '../support/database';

const message = (type: string, body: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
};

/** "You are let in, I am ready" and "I am going away" in one piece: what a dying server may send. */
const lastWords = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('Z', Buffer.from('I')),
  message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0')),
]);

let server: Server;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(lastWords));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

// without a listener on every connection this ends the process
test('a server that dies while it lets us in is an error of the query, not the end of the process', async () => {
  const { port } = server.address() as AddressInfo;
  const database = connectDatabase({
    url: `postgresql://nobody:x@127.0.0.1:${port}/none?sslmode=disable`,
    poolSize: 2,
  });
  await expect(database.$queryRaw`SELECT 1`).rejects.toThrow();
  await expect(database.$transaction((transaction) => transaction.$queryRaw`SELECT 1`)).rejects.toThrow();
  await database.$disconnect();
});

test('times of raw queries are right whatever zone the database is set to', async () => {
  const home = await createTestDatabase();
  const name = new URL(home.url).pathname.slice(1);
  const database = connectDatabase({ url: home.url, poolSize: 1 });
  await database.$executeRawUnsafe(`ALTER DATABASE "${name}" SET timezone TO 'Asia/Tokyo'`);
  await database.$disconnect();
  const later = connectDatabase({ url: home.url, poolSize: 1 });
  for (const way of [later, later.direct]) {
    const [row] = await way.$queryRaw<{ at: Date }[]>`SELECT clock_timestamp() AS at`;
    expect(Math.abs((row?.at.getTime() ?? 0) - Date.now())).toBeLessThan(600_000);
  }
  await later.$disconnect();
  await home.drop();
});

describe('a transaction straight to the driver', () => {
  let home: Awaited<ReturnType<typeof createTestDatabase>>;
  let database: ReturnType<typeof connectDatabase>;

  beforeAll(async () => {
    home = await createTestDatabase();
    database = connectDatabase({ url: home.url, poolSize: 1 });
    await database.$executeRaw`CREATE TABLE things (name text)`;
  });
  afterAll(async () => {
    await database.$disconnect();
    await home.drop();
  });

  const listThings = async (): Promise<string[]> =>
    (await database.$queryRaw<{ name: string }[]>`SELECT name FROM things`).map(({ name }) => name);

  test('writes all or nothing, and gives its connection back', async () => {
    const write = (names: string[], fate: () => void) =>
      database.direct.$transaction(async (statements) => {
        for (const name of names) expect(await statements.$executeRaw`INSERT INTO things VALUES (${name})`).toBe(1);
        fate();
      });
    await write(['kept'], () => undefined);
    await expect(
      write(['undone'], () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await expect(database.direct.$transaction((statements) => statements.$queryRaw`SELECT nothing`)).rejects.toThrow();
    expect(await listThings()).toEqual(['kept']);
  });

  test('does not hold its locks for ever where its process is frozen', async () => {
    const rows = await database.direct.$queryRaw`SHOW idle_in_transaction_session_timeout`;
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '30s' }]);
  });
});
