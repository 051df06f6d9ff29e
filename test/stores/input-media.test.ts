import type { GenerationInput, MediaInput, StoredMedia } from '../../src/domain/generation';
import { createUpload, findUpload } from '../../src/stores/uploads';
import type { Database } from '../../src/stores/database';
import { publishChange, readGeneration } from '../../src/stores/generations';
import { findMadeMedia, recordInputError, recordStoredMedia } from '../../src/stores/input-media';
import { recordArtifacts } from '../../src/stores/artifacts';
import { createTenant } from '../../src/stores/tenants';
import { makeInput, storedImage } from '../support/provider-calls';
import { accept, openLedger, tenantId, type Ledger } from './ledger';

let ledger: Ledger;
let database: Database;

beforeAll(async () => {
  ledger = await openLedger();
  database = ledger.database;
  await createTenant(database, { id: 'ten_other', name: 'other', weight: 1 });
});
afterAll(() => ledger.close());

const byUrl: MediaInput = { origin: { url: 'https://example.com/a.png' }, stored: null };
const stored = (key: string): StoredMedia => ({ key, contentType: 'image/png', bytes: 7, sha256: 'f'.repeat(64) });

const inputOf = async (id: string): Promise<GenerationInput> => (await readGeneration(database, id)).request.input;

test('where a medium was stored is noted at its place, and nothing else changes', async () => {
  const input = makeInput({
    image: byUrl,
    lastFrame: storedImage,
    referenceImages: [storedImage, byUrl],
    video: byUrl,
  });
  const id = await accept(database, { input });
  for (const pointer of ['image', 'referenceImages/1', 'video'])
    await recordStoredMedia(database, id, { pointer, stored: stored(pointer) });
  expect(await inputOf(id)).toEqual({
    ...input,
    image: { ...byUrl, stored: stored('image') },
    referenceImages: [storedImage, { ...byUrl, stored: stored('referenceImages/1') }],
    video: { ...byUrl, stored: stored('video') },
  });
});

test('what was noted first stays', async () => {
  const id = await accept(database, { input: makeInput({ image: byUrl, lastFrame: storedImage }) });
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      recordStoredMedia(database, id, { pointer: 'image', stored: stored(`k${index}`) }),
    ),
  );
  const { image } = await inputOf(id);
  await recordStoredMedia(database, id, { pointer: 'image', stored: stored('late') });
  await recordStoredMedia(database, id, { pointer: 'lastFrame', stored: stored('late') });
  expect(await inputOf(id)).toMatchObject({ image, lastFrame: storedImage });
  expect(image?.stored?.key).toMatch(/^k\d$/);
});

test('a place where there is no medium stays empty', async () => {
  const id = await accept(database, { input: makeInput({ image: byUrl }) });
  for (const pointer of ['video', 'referenceImages/0', 'lastFrame'])
    await recordStoredMedia(database, id, { pointer, stored: stored(pointer) });
  expect(await inputOf(id)).toEqual(makeInput({ image: byUrl }));
});

test('the first fault of an input is kept', async () => {
  const id = await accept(database);
  expect((await readGeneration(database, id)).inputError).toBeNull();
  const error = { code: 'caller_invalid_request', message: 'input.image is empty' } as const;
  await recordInputError(database, id, error);
  await recordInputError(database, id, { ...error, message: 'something else' });
  expect((await readGeneration(database, id)).inputError).toEqual(error);
});

test('an upload is found by its own tenant only', async () => {
  const upload = { id: 'upl_1', tenantId, contentType: 'image/png', bytes: 7, sha256: 'f', key: 'uploads/upl_1' };
  const { createdAt } = await createUpload(database, upload);
  expect(createdAt).toBeInstanceOf(Date);
  const found = { contentType: 'image/png', bytes: 7, sha256: 'f', key: 'uploads/upl_1' };
  expect(await findUpload(database, { tenantId, id: 'upl_1' })).toEqual(found);
  expect(await findUpload(database, { tenantId: 'ten_other', id: 'upl_1' })).toBeNull();
  expect(await findUpload(database, { tenantId, id: 'upl_2' })).toBeNull();
});

test('an artifact is found by its own tenant only, with the status of its generation', async () => {
  const id = await accept(database);
  const artifact = { index: 0, key: 'k', contentType: 'video/mp4', bytes: 3e9, sha256: 'f' };
  await recordArtifacts(database, { generationId: id, attempt: 1, artifacts: [artifact] });
  const { index, ...kept } = artifact;
  expect(await findMadeMedia(database, { tenantId, id, index })).toEqual({ status: 'queued', artifact: kept });
  await publishChange(database, id, () => ({ status: 'succeeded' }));
  expect(await findMadeMedia(database, { tenantId, id, index: 1 })).toEqual({ status: 'succeeded', artifact: null });
  expect(await findMadeMedia(database, { tenantId: 'ten_other', id, index })).toBeNull();
});
