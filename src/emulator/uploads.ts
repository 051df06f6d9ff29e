import { randomUUID } from 'node:crypto';
import type { Call } from './provider';
import type { Upload, World } from './world';

export const openUpload = (call: Call, file: Pick<Upload, 'name' | 'contentType' | 'expiresAtMs'>): Upload => {
  const { provider, credential } = call;
  const upload: Upload = { id: randomUUID(), provider, credential, bytes: null, ...file };
  call.world.uploads.set(upload.id, upload);
  return upload;
};

/** One of this provider that has not expired. */
export const findUpload = ({ uploads, clock }: World, provider: string, id: string): Upload | undefined => {
  const upload = uploads.get(id);
  if (upload === undefined || upload.provider !== provider) return undefined;
  return upload.expiresAtMs === null || upload.expiresAtMs > clock() ? upload : undefined;
};
