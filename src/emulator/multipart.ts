type Part = {
  name: string;
  /** Only files have one. */
  fileName: string | undefined;
  bytes: Buffer;
};

const lineBreak = '\r\n';

const parsePart = (raw: Buffer): Part[] => {
  const headEnd = raw.indexOf(lineBreak + lineBreak);
  const head = raw.subarray(0, headEnd).toString('utf8');
  const name = /[; ]name="([^"]*)"/.exec(head)?.[1];
  if (headEnd < 0 || name === undefined) return [];
  const fileName = /filename="([^"]*)"/.exec(head)?.[1];
  return [{ name, fileName, bytes: raw.subarray(headEnd + 4, raw.length - lineBreak.length) }];
};

/** The parts of a multipart body; undefined where it is none. */
export const parseMultipart = (contentType: string | undefined, body: unknown): Part[] | undefined => {
  const match = /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;]+))/.exec(contentType ?? '');
  if (match === null || !Buffer.isBuffer(body)) return undefined;
  const mark = `--${match[1] ?? match[2] ?? ''}`;
  const parts: Part[] = [];
  let start = body.indexOf(mark);
  for (let end = body.indexOf(mark, start + 1); end >= 0; end = body.indexOf(mark, start + 1)) {
    parts.push(...parsePart(body.subarray(start + mark.length + lineBreak.length, end)));
    start = end;
  }
  return parts;
};
