import type { Failure } from '../domain/failure';
import type { StoredMedia } from '../domain/generation';
import type { Database } from './database';

/** Where the bytes of one image or video of a generation's input are kept. `pointer` is its place in the input. */
export const inputKey = (generationId: string, pointer: string): string => `inputs/${generationId}/${pointer}`;

/** Notes where it was stored. What an earlier run noted stays. */
export const recordStoredMedia = async (
  database: Database,
  generationId: string,
  { pointer, stored }: { pointer: string; stored: StoredMedia },
): Promise<void> => {
  const place = ['input', ...pointer.split('/'), 'stored'];
  await database.$executeRaw`
    UPDATE generations SET request = jsonb_set(request, ${place}, ${JSON.stringify(stored)}::jsonb)
    WHERE id = ${generationId} AND request #> ${place} = 'null'::jsonb`;
};

/** It cannot be had or used, for good: what the generation ends with. */
export const recordInputError = async (database: Database, generationId: string, error: Failure): Promise<void> => {
  await database.$executeRaw`
    UPDATE generations SET input_error = ${JSON.stringify(error)}::jsonb
    WHERE id = ${generationId} AND input_error IS NULL`;
};

/** An artifact of this tenant, and whether its generation has succeeded; `null` also for another tenant's. */
export const findMadeMedia = async (
  database: Database,
  { tenantId, id, index }: { tenantId: string; id: string; index: number },
): Promise<{ status: string; artifact: StoredMedia | null } | null> => {
  const generation = await database.generation.findFirst({
    where: { id, tenantId },
    select: {
      status: true,
      artifacts: { where: { index }, select: { key: true, contentType: true, bytes: true, sha256: true } },
    },
  });
  const artifact = generation?.artifacts[0];
  return (
    generation && {
      status: generation.status,
      artifact: artifact ? { ...artifact, bytes: Number(artifact.bytes) } : null,
    }
  );
};
