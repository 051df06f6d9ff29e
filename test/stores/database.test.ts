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
  const test = await createTestDatabase();
  const name = new URL(test.url).pathname.slice(1);
  const database = connectDatabase({ url: test.url, poolSize: 1 });
  await database.$executeRawUnsafe(`ALTER DATABASE "${name}" SET timezone TO 'Asia/Tokyo'`);
  await database.$disconnect();
  const later = connectDatabase({ url: test.url, poolSize: 1 });
  const [row] = await later.$queryRaw<{ at: Date }[]>`SELECT clock_timestamp() AS at`;
  expect(Math.abs((row?.at.getTime() ?? 0) - Date.now())).toBeLessThan(600_000);
  await later.$disconnect();
  await test.drop();
});
