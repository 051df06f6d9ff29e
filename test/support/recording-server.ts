import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Recorded = { method: string; path: string; headers: IncomingHttpHeaders; body: unknown; socket: number };

export type Answering = (response: ServerResponse, request: Recorded) => void;

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answering =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

const parse = (text: string): unknown => {
  try {
    return text === '' ? null : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
};

/** Remembers every request and answers it by `answers`, in order; the last one stays. */
export const startRecordingServer = async (...answers: Answering[]) => {
  const requests: Recorded[] = [];
  let answering = answers;
  let sockets = 0;
  const numbers = new WeakMap<object, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const body = parse(Buffer.concat(chunks).toString('utf8'));
      const recorded = { method, path, headers, body, socket: numbers.get(request.socket) ?? 0 };
      requests.push(recorded);
      const answer = answering.length > 1 ? answering.shift() : answering[0];
      answer?.(response, recorded);
    });
  });
  server.on('connection', (socket) => numbers.set(socket, (sockets += 1)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (...next: Answering[]) => {
      answering = next;
      requests.length = 0;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

export type RecordingServer = Awaited<ReturnType<typeof startRecordingServer>>;
