import type { AddressInfo } from 'node:net';
import { createApp } from './api/app';
import { readProcessConfig } from './config';
import { createApiDependencies } from './dependencies';
import { runProcess } from './run-process';
import { ensureBootstrapKey } from './stores/api-keys';
import { applyMigrations } from './stores/migrations';

/** `npm run start:api`: the HTTP API, and nothing else. */
runProcess(async () => {
  const config = readProcessConfig(process.env);
  await applyMigrations(config.databaseUrl);
  const { dependencies, close } = createApiDependencies(config);
  if (config.apiKey !== null) await ensureBootstrapKey(dependencies.database, config.apiKey);
  await dependencies.keys.refresh();
  const server = createApp(dependencies).listen(config.port, config.host);
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const { port } = server.address() as AddressInfo;
  dependencies.logger.info({ port }, 'the API listens');
  return {
    port,
    stop: async () => {
      server.closeIdleConnections();
      await new Promise((resolve) => {
        server.close(resolve);
        // requests that wait for a generation would hold the door open
        setTimeout(() => server.closeAllConnections(), 3_000).unref();
      });
      await close();
    },
  };
});
