import { checkProviders } from './proxies';

/** Run by a schedule: asks the providers how they are. */
export async function health(): Promise<{ checked: number; failed: number }> {
  return checkProviders();
}
