import { readRetryAfter } from '../../src/providers/refusal';
import { scrub } from '../../src/providers/scrub';

test.each([
  [{ 'retry-after': '3' }, 3_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after-ms': '20' }, 20],
  [{ 'retry-after': 'Sat, 21 Nov 2026 00:00:10 GMT' }, 10_000],
  [{ 'retry-after': 'later' }, null],
  [{}, null],
])('reads %j', (headers, expected) => {
  expect(readRetryAfter(headers as Record<string, string>, Date.parse('2026-11-21T00:00:00Z'))).toBe(expected);
});

test.each([
  ['Incorrect API key: sk-proj-abcdef123456', 'Incorrect API key: …'],
  ['see https://cdn.example.com/a.mp4?Signature=abc&Key=1 now', 'see https://cdn.example.com/… now'],
  ['header was Bearer abcdefghijklmn', 'header was …'],
  ['image data:image/png;base64,iVBORw0KGgo= is bad', 'image data:… is bad'],
  ['line\n  break', 'line break'],
])('scrubs %s', (text, expected) => {
  expect(scrub(text)).toBe(expected);
});

test('takes out what it is told to hide and bounds the rest', () => {
  expect(scrub('the prompt "a secret project" is bad', ['a secret project', null])).toBe('the prompt "…" is bad');
  expect(scrub('x'.repeat(1_000))).toHaveLength(300);
});
