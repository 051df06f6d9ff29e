import { createHmac, timingSafeEqual } from 'node:crypto';
import { SureshotError } from '../domain/failure';

/** Whose list it is a place in: another tenant's cursor is no cursor. */
type Owner = { secret: string; tenantId: string };

const sign = ({ secret, tenantId }: Owner, id: string): Buffer =>
  createHmac('sha256', secret).update(`cursor\n${tenantId}\n${id}`).digest().subarray(0, 16);

/** Opaque to the caller: `id` is the last one of a page. */
export const writeCursor = (owner: Owner, id: string): string =>
  `${Buffer.from(id).toString('base64url')}.${sign(owner, id).toString('base64url')}`;

/** The id of `writeCursor`, or 400. */
export const readCursor = (owner: Owner, cursor: string): string => {
  const [encoded = '', signature = ''] = cursor.split('.');
  const id = Buffer.from(encoded, 'base64url').toString();
  const [offered, expected] = [Buffer.from(signature, 'base64url'), sign(owner, id)];
  if (offered.length === expected.length && timingSafeEqual(offered, expected)) return id;
  throw new SureshotError('caller_malformed', 'after is not a nextCursor of this list', {
    violations: [{ pointer: '/after', detail: 'must be a nextCursor of this list' }],
  });
};
