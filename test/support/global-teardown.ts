import { rm } from 'node:fs/promises';

export default async (): Promise<void> => {
  const stack = globalThis.sharedPostgres;
  await stack?.stop();
  if (stack) await rm(stack.home, { recursive: true, force: true });
};
