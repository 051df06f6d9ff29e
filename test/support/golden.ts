import { createTransport, type Transport } from '../../src/providers/transport';
import type { Provider } from '../../src/providers/provider';
import { startRecordingServer, type RecordingServer } from './recording-server';

/** A provider adapter in front of a server that writes down what its SDK sends. */
export const useRecordedProvider = (create: (transport: Transport) => Provider) => {
  const current = {} as { server: RecordingServer; transport: Transport; provider: Provider };
  beforeAll(async () => {
    current.server = await startRecordingServer((response) => response.end());
    current.transport = createTransport();
    current.provider = create(current.transport);
  });
  afterAll(async () => {
    await current.transport.close();
    await current.server.close();
  });
  return current;
};
