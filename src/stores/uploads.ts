import type { Database } from './database';

export type Upload = {
  id: string;
  tenantId: string;
  contentType: string;
  bytes: number;
  sha256: string;
  /** Where the blob store keeps it. */
  key: string;
};

/** Written once all of its bytes are in the blob store. */
export const createUpload = async (database: Database, upload: Upload): Promise<{ createdAt: Date }> =>
  database.upload.create({ data: upload, select: { createdAt: true } });

/** `null` also for another tenant's id. */
export const findUpload = (
  database: Database,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<Pick<Upload, 'key' | 'contentType' | 'bytes' | 'sha256'> | null> =>
  database.upload.findFirst({
    where: { id, tenantId },
    select: { key: true, contentType: true, bytes: true, sha256: true },
  });
