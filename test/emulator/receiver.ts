import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = {
  path: string;
  headers: IncomingHttpHeaders;
  /** The very bytes that were signed. */
  body: string;
  json: Record<string, unknown>;
};

type Receiver = {
  url: string;
  received: Received[];
  /** Resolves once so many have come; the test's own time limit is the only one. */
  waitFor: (count: number) => Promise<Received[]>;
  /** Statuses of the coming answers, one each; 200 once they are used up. null: hangs up. */
  answers: (number | null)[];
  close: () => Promise<void>;
};

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

/** A customer's webhook endpoint, as bare as can be. */
const startReceiver = async (): Promise<Receiver> => {
  const received: Received[] = [];
  const answers: (number | null)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const json = JSON.parse(body) as Record<string, unknown>;
      received.push({ path: request.url ?? '', headers: request.headers, body, json });
      const status = answers.length === 0 ? 200 : (answers.shift() ?? null);
      if (status === null) request.socket.destroy();
      else response.writeHead(status).end();
      server.emit('received');
    });
  });
  const port = await listen(server);
  const waitFor = async (count: number): Promise<Received[]> => {
    while (received.length < count) await once(server, 'received');
    return received;
  };
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${port}`, received, waitFor, answers, close };
};

/** One for each test. */
export const useReceiver = (): (() => Receiver) => {
  let current: Receiver | undefined;
  beforeEach(async () => {
    current = await startReceiver();
  });
  afterEach(async () => {
    await current?.close();
  });
  return () => {
    if (current === undefined) throw new Error('the receiver is not running');
    return current;
  };
};
