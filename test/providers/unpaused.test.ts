import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Agent, fetch, request } from 'undici';
import { unpaused } from '../../src/providers/unpaused';

/** As many as make the last piece the one that fills the reader's buffer. */
const body = Buffer.alloc(64 * 1024, 'a');

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
      socket.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

/** Until the other side has closed its connection. */
const untilClosed = async (): Promise<void> => {
  for (;;) {
    const open = await new Promise<number>((resolve, reject) =>
      server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
    if (open === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
};

// without the interceptor the first of these ends the process by an assertion that nobody can catch
test('a reader that begins after the other side has closed gets the whole body, and the process lives', async () => {
  const agent = new Agent();
  const dispatcher = agent.compose(unpaused);
  const answer = await request(url, { dispatcher });
  await untilClosed();
  expect((await answer.body.arrayBuffer()).byteLength).toBe(body.length);
  const fetched = await fetch(url, { dispatcher });
  await untilClosed();
  expect((await fetched.arrayBuffer()).byteLength).toBe(body.length);
  await agent.close();
});
