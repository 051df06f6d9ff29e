const longest = 300;
/** Shorter ones are words of any message, not something to hide. */
const shortestHidden = 8;

const secretLooking = [
  /\b(bearer|key|basic)\s+[\w.~+/:=-]{8,}/gi,
  /\b(sk|key|xi|rw|fal)[-_][\w-]{8,}/gi,
  /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g,
  /\b[0-9a-f]{32,}\b/gi,
];

/** A signed URL's secret is in its query, sometimes in its path: only the host is worth telling. */
const shortenUrls = (text: string): string => text.replace(/\b(https?):\/\/([^\s/"'<>?#]+)[^\s"'<>]*/gi, '$1://$2/…');

/** A provider's words as a caller, a row or a log may see them: no key, signed URL, data or given text; bounded. */
export const scrub = (text: string, hidden: readonly (string | null)[] = []): string => {
  const withoutHidden = hidden
    .filter((value) => value !== null)
    .filter((value) => value.length >= shortestHidden)
    .reduce((rest, value) => rest.replaceAll(value, '…'), text);
  const withoutData = shortenUrls(withoutHidden).replace(/data:[\w/+.-]+;base64,[\w+/=]*/gi, 'data:…');
  const clean = secretLooking
    .reduce((rest, pattern) => rest.replace(pattern, '…'), withoutData)
    .replace(/\s+/g, ' ')
    .trim();
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 1)}…`;
};
