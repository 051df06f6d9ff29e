import { invalid, type Problem } from './problems';

/** First bytes, as Latin-1, of what the API takes. */
const signatures: readonly (readonly [string, RegExp])[] = [
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/png', /^\x89PNG/],
  ['image/gif', /^GIF8/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
];

const readType = (data: string): string | undefined => {
  const head = Buffer.from(data.slice(0, 32), 'base64').toString('latin1');
  return signatures.find(([, signature]) => signature.test(head))?.[0];
};

const maxBytes = 10 * 2 ** 20;

type Source = { type: string; url?: string; data?: string; media_type?: string };

const base64Problem = ({ data = '', media_type }: Source, path: string): Problem | undefined => {
  if ((data.length * 3) / 4 > maxBytes) return invalid(`${path}: image exceeds ${maxBytes / 2 ** 20} MB maximum`);
  const actual = readType(data);
  if (actual === undefined) return invalid(`${path}: Could not process image`);
  return actual === media_type
    ? undefined
    : invalid(
        `${path}: The image was specified using the ${media_type} media type, but the image appears to be a ${actual} image`,
      );
};

export const imageProblem = (block: object, path: string): Problem | undefined => {
  const source = (block as { source: Source }).source;
  if (source.type === 'base64') return base64Problem(source, `${path}.image.source.base64`);
  return source.url?.startsWith('https://') === true ? undefined : invalid('Only HTTPS URLs are supported.');
};
