import type { Medium } from '../../src/domain/generation';
import {
  changePreferences,
  findPreferences,
  listPreferences,
  type PreferenceChange,
} from '../../src/stores/preferences';
import { openLedger, tenantId, type Ledger } from './ledger';

let ledger: Ledger;

beforeEach(async () => {
  ledger = await openLedger();
});

afterEach(() => ledger.close());

const tenant = { tenantId, user: null };
const ann = { tenantId, user: 'ann' };

const change = (owner: typeof tenant | typeof ann, changes: Partial<Record<Medium, PreferenceChange>>) =>
  changePreferences(ledger.database, owner, new Map(Object.entries(changes) as [Medium, PreferenceChange][]));

const list = async (owner: typeof tenant | typeof ann) =>
  Object.fromEntries(await listPreferences(ledger.database, owner));

test('those of the tenant and of each user are kept apart', async () => {
  await change(tenant, { video: { model: 'fal/veo3.1' } });
  await change(ann, { video: { strategy: 'cost' }, text: { model: 'auto' } });
  await change({ tenantId: 'ten_other', user: null }, { video: { model: 'runway/gen4.5' } });
  expect(await list(tenant)).toEqual({ video: { model: 'fal/veo3.1', strategy: null } });
  expect(await list(ann)).toEqual({
    video: { model: null, strategy: 'cost' },
    text: { model: 'auto', strategy: null },
  });
  expect(await list({ tenantId, user: 'bob' })).toEqual({});
});

test('for one request those of its user and of its tenant are found', async () => {
  await change(tenant, { video: { model: 'fal/veo3.1' }, image: { strategy: 'speed' } });
  await change(ann, { video: { strategy: 'cost' } });
  const find = (user: string | null, medium: Medium) => findPreferences(ledger.database, { tenantId, user, medium });
  expect(await find('ann', 'video')).toEqual({
    user: { model: null, strategy: 'cost' },
    tenant: { model: 'fal/veo3.1', strategy: null },
  });
  expect(await find(null, 'video')).toEqual({ user: null, tenant: { model: 'fal/veo3.1', strategy: null } });
  expect(await find('ann', 'image')).toEqual({ user: null, tenant: { model: null, strategy: 'speed' } });
  expect(await find('ann', 'text')).toEqual({ user: null, tenant: null });
});

test('what a change does not name stays, and what it names null goes', async () => {
  await change(ann, { video: { model: 'fal/veo3.1', strategy: 'cost' }, image: { strategy: 'speed' } });
  await change(ann, { video: { model: null }, text: { strategy: 'quality' } });
  expect(await list(ann)).toEqual({
    video: { model: null, strategy: 'cost' },
    image: { model: null, strategy: 'speed' },
    text: { model: null, strategy: 'quality' },
  });
  await change(ann, { video: null, image: { strategy: null }, text: {} });
  expect(await list(ann)).toEqual({ text: { model: null, strategy: 'quality' } });
  expect(await ledger.database.preference.count()).toBe(1);
});

test('changes of the same entry at the same time both come through', async () => {
  await Promise.all([
    change(ann, { video: { model: 'fal/veo3.1' } }),
    change(ann, { video: { strategy: 'cost' } }),
    change(ann, { video: { strategy: 'cost' } }),
  ]);
  expect(await list(ann)).toEqual({ video: { model: 'fal/veo3.1', strategy: 'cost' } });
});
