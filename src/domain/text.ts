const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** PostgreSQL keeps neither NUL nor half a surrogate pair: other people's texts, and ours after a cut, may hold both. */
export const storable = (text: string): string => text.replaceAll('\0', '').replace(loneSurrogate, '\ufffd');

/** At most `length` UTF-16 units, never half a character. */
export const cut = (text: string, length: number): string =>
  storable(text.slice(0, length).replace(/[\ud800-\udbff]$/, ''));
