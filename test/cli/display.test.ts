import { createProgress } from '../../src/cli/progress';
import type { Generation } from '../../src/cli/resource';
import { drawTable, shorten, widthOf } from '../../src/cli/table';
import { createTerminal, plain } from '../../src/cli/terminal';
import { describeGeneration } from '../../src/cli/timeline';
import { tellBytes, tellDuration } from '../../src/cli/words';

const at = (second: number): string => new Date(Date.UTC(2026, 10, 21, 12, 0, second)).toISOString();

const attempt = {
  number: 1,
  provider: 'runway',
  model: 'runway/gen4.5',
  credential: 'main',
  operation: null,
  status: 'ambiguous',
  costUsd: null,
  possibleCostUsd: '0.60',
  providerRequestId: null,
  gateway: null,
  error: { code: 'provider_submit_ambiguous', message: 'the answer\u001b[2J was lost', retryable: false },
  startedAt: at(1),
  submittedAt: null,
  endedAt: at(20),
};

const generation: Generation = {
  id: 'gen_1',
  medium: 'video',
  status: 'succeeded',
  phase: null,
  progress: null,
  model: 'fal/veo3.1',
  provider: 'fal',
  input: { prompt: 'a red bicycle' },
  attempts: [
    attempt,
    {
      ...attempt,
      number: 2,
      provider: 'fal',
      model: 'fal/veo3.1',
      operation: 'op-7',
      status: 'succeeded',
      costUsd: '3.20',
      possibleCostUsd: null,
      error: null,
      startedAt: at(21),
      submittedAt: at(22),
      endedAt: at(50),
    },
  ],
  artifacts: [
    { index: 0, contentType: 'video/mp4', bytes: 1_234_567, sha256: 'abc', url: '/v1/generations/gen_1/artifacts/0' },
  ],
  text: null,
  cost: { reservedUsd: '0', actualUsd: '3.20', possibleUsd: '0.60' },
  error: null,
  warnings: ['the style was written into the prompt'],
  rerunOf: 'gen_0',
  tags: ['a', 'b'],
  cancelRequestedAt: null,
  createdAt: at(0),
  startedAt: at(1),
  completedAt: at(51),
  links: { self: '/v1/generations/gen_1', temporal: null },
};

const createScreen = (isTTY: boolean, columns = 60) => {
  let text = '';
  const stream = { write: (part: string | Uint8Array) => ((text += String(part)), true), isTTY, columns, rows: 10 };
  return { terminal: createTerminal({ stdout: stream, stderr: stream }, true), text: () => text };
};

test('the story of a generation names attempts, operation, costs that are and may be, error, links and results', () => {
  const { terminal } = createScreen(false);
  const lines = describeGeneration(generation, terminal, (link) => `http://api${link}`);
  expect(lines).toEqual([
    'gen_1  video  succeeded',
    '  prompt    a red bicycle',
    '  model     fal/veo3.1',
    '  cost      3.20 USD · perhaps 0.60 USD',
    '  created   2026-11-21 12:00:00Z · took 51 s',
    '  rerun of  gen_0',
    '  tags      a, b',
    '  warning   the style was written into the prompt',
    '  self      http://api/v1/generations/gen_1',
    '',
    'timeline',
    '  +0.0 s     accepted',
    '  +1.0 s     begun',
    '  +1.0 s     attempt 1 planned · runway/gen4.5 at runway · key main',
    '  +20 s      attempt 1 ambiguous · perhaps 0.60 USD · provider_submit_ambiguous: the answer [2J was lost',
    '  +21 s      attempt 2 planned · fal/veo3.1 at fal · key main',
    '  +22 s      attempt 2 sent · operation op-7',
    '  +50 s      attempt 2 succeeded · 3.20 USD',
    '  +51 s      succeeded',
    '',
    'artifacts',
    '  0  video/mp4  1.2 MB  sha256 abc  http://api/v1/generations/gen_1/artifacts/0',
  ]);
});

describe('a table', () => {
  const columns = [
    { title: 'ID', text: (row: string[]) => row[0] ?? '' },
    { title: 'USD', text: (row: string[]) => row[1] ?? '', right: true },
    { title: 'ABOUT', text: (row: string[]) => row[2] ?? '', flexible: true },
  ];

  test('is as wide as its content where no window limits it', () => {
    expect(
      drawTable(
        columns,
        [
          ['gen_1', '0.5', 'short'],
          ['gen_22', '12.25', 'a longer one'],
        ],
        null,
      ),
    ).toEqual(['ID        USD  ABOUT', 'gen_1     0.5  short', 'gen_22  12.25  a longer one']);
  });

  test('fits the window by shortening the column that gives way', () => {
    const lines = drawTable(columns, [['gen_1', '0.5', 'a very long prompt that nobody can read']], 30);
    expect(lines[1]).toBe('gen_1  0.5  a very long promp…');
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(30);
  });

  test('counts the width of a character as a terminal does', () => {
    expect(widthOf('自転車')).toBe(6);
    expect(widthOf('e\u0301')).toBe(1);
    expect(shorten('自転車です', 5)).toBe('自転…');
  });
});

describe('progress', () => {
  const polling = (progress: number): Generation => ({ ...generation, status: 'running', phase: 'polling', progress });

  test('is one line on a terminal, rewritten, no longer than the window', () => {
    const { terminal, text } = createScreen(true, 40);
    const progress = createProgress(terminal);
    progress.show(polling(10), 1_000);
    progress.show(polling(20), 2_000);
    expect(text()).toBe(
      [
        'gen_1  polling · 10 % · attempt 2 fal/…\n',
        '\u001b[1A\r\u001b[J',
        'gen_1  polling · 20 % · attempt 2 fal/…\n',
      ].join(''),
    );
  });

  test('is a line for each change elsewhere', () => {
    const { terminal, text } = createScreen(false);
    const progress = createProgress(terminal);
    for (const percent of [10, 20, 30]) progress.show(polling(percent), 1_000);
    expect(text().trim().split('\n')).toEqual([
      'gen_1  polling · 0 % · attempt 2 fal/veo3.1 · 1.0 s',
      'gen_1  polling · 25 % · attempt 2 fal/veo3.1 · 1.0 s',
    ]);
  });
});

test('colours stand on a terminal only, and only where they are wanted', () => {
  const stream = { write: () => true, isTTY: true };
  const [wanted, unwanted] = [true, false].map((color) => createTerminal({ stdout: stream, stderr: stream }, color));
  expect(wanted?.paint('red', 'failed')).toBe('\u001b[31mfailed\u001b[0m');
  expect(unwanted?.paint('red', 'failed')).toBe('failed');
  expect(createScreen(false).terminal.paint('red', 'failed')).toBe('failed');
});

test('what steers a terminal is taken out of what others wrote', () => {
  expect(plain('a\u001b]0;title\u0007\nb\u202ec')).toBe('a ]0;title b c');
});

test.each([
  [900, '0.9 s'],
  [61_000, '61 s'],
  [185_000, '3 min 5 s'],
  [9_000_000, '2 h 30 min'],
])('%d ms are told as %s', (ms, told) => {
  expect(tellDuration(ms)).toBe(told);
});

test.each([
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [123_456_789, '123 MB'],
])('%d bytes are told as %s', (bytes, told) => {
  expect(tellBytes(bytes)).toBe(told);
});
