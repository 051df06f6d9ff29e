import { inTransaction, type Database } from './database';
import { lockGeneration } from './generations';

export type NewArtifact = { index: number; key: string; contentType: string; bytes: number; sha256: string };

/** Written once the bytes are in the blob store and verified. A second run writes the same rows. */
export const recordArtifacts = (
  database: Database,
  { generationId, attempt, artifacts }: { generationId: string; attempt: number; artifacts: NewArtifact[] },
): Promise<void> =>
  inTransaction(database, async (transaction) => {
    await lockGeneration(transaction, generationId);
    await transaction.artifact.deleteMany({ where: { generationId } });
    await transaction.artifact.createMany({
      data: artifacts.map((artifact) => ({ ...artifact, generationId, attempt })),
    });
  });

/** `null` also for another tenant's id. `bytes` is the size. */
export const findArtifact = async (
  database: Database,
  { tenantId, id, index }: { tenantId: string; id: string; index: number },
): Promise<{ key: string; contentType: string; bytes: number; sha256: string } | null> => {
  const artifact = await database.artifact.findFirst({
    where: { generationId: id, index, generation: { tenantId } },
    select: { key: true, contentType: true, bytes: true, sha256: true },
  });
  return artifact && { ...artifact, bytes: Number(artifact.bytes) };
};

export const listArtifacts = (
  database: Database,
  generationId: string,
): Promise<{ key: string; sha256: string; contentType: string }[]> =>
  database.artifact.findMany({
    where: { generationId },
    select: { key: true, sha256: true, contentType: true },
    orderBy: { index: 'asc' },
  });
