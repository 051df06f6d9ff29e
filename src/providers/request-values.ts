import type { Media } from './provider';

export const toBase64 = ({ bytes }: Media): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

export const toDataUri = (media: Media): string => `data:${media.contentType};base64,${toBase64(media)}`;

type WithoutNulls<Body> = { [Key in keyof Body as null extends Body[Key] ? never : Key]: Body[Key] } & {
  [Key in keyof Body as null extends Body[Key] ? Key : never]?: Exclude<Body[Key], null>;
};

/** `null` is our "left to the model"; on the wire that is an absent field. */
export const withoutNulls = <Body extends Record<string, unknown>>(body: Body): WithoutNulls<Body> =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as WithoutNulls<Body>;
