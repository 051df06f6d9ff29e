import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from './deadline';
import type { DemoDisplay } from './demo-display';

export type DemoAccess = { apiUrl: string; apiKey: string; outputFolder: string; stopped: AbortSignal };

export type PlannedGeneration = {
  label: string;
  body: { medium: string; model?: string; input: Record<string, unknown> };
};

/** Of the API's resource what the demo shows. */
type Generation = {
  id: string;
  status: string;
  phase: string | null;
  progress: number | null;
  attempts: { provider: string }[];
  artifacts: { index: number; contentType: string; bytes: number; url: string }[];
  cost: { actualUsd: string | null } | null;
  createdAt: string;
  completedAt: string | null;
  error: { code: string; message: string } | null;
};

export type DemoResult = {
  succeeded: boolean;
  line: string;
  /** What the table of `--all` shows; null where the request was not even accepted. */
  figures: { model: string; seconds: number; costUsd: string; sizeBytes: number } | null;
};

const pollMs = 200;
const requestTimeoutMs = 30_000;
const patienceMs = 600_000;

type Asked = { route: string; body?: unknown };

/** `read` is within the time as well: an answer may stop in the middle. */
const request = <Result>(
  access: DemoAccess,
  { route, body }: Asked,
  read: (answer: Response) => Promise<Result>,
): Promise<Result> =>
  withDeadline({ afterMs: requestTimeoutMs, over: access.stopped }, async (signal) => {
    const headers = {
      authorization: `Bearer ${access.apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
    };
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return read(await fetch(new URL(route, access.apiUrl), { headers, ...sent, signal }));
  });

const readJson = async <Body>(answer: Response): Promise<Body> => {
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text) as Body;
  const problem = (text.startsWith('{') ? JSON.parse(text) : {}) as {
    code?: string;
    detail?: string;
    errors?: { detail: string }[];
  };
  const details = [problem.detail, ...(problem.errors ?? []).map(({ detail }) => detail)].filter(Boolean).join('; ');
  throw new Error(`${problem.code ?? `status ${answer.status}`}: ${details}`);
};

const isOver = ({ status }: Generation): boolean => status !== 'queued' && status !== 'running';

const nameChain = ({ attempts }: Generation): string => attempts.map(({ provider }) => provider).join(' → ');

/** A restart of the API meanwhile is part of what the stack promises to survive, so a failed look is only repeated. */
const look = async (access: DemoAccess, id: string): Promise<Generation | null> => {
  try {
    return await request(access, { route: `/v1/generations/${id}` }, readJson<Generation>);
  } catch (error) {
    if (access.stopped.aborted) throw error;
    return null;
  }
};

const follow = async (access: DemoAccess, id: string, show: (generation: Generation) => void): Promise<Generation> => {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const generation = await look(access, id);
    if (generation) show(generation);
    if (generation && isOver(generation)) return generation;
    await delay(pollMs, undefined, { signal: access.stopped });
  }
  throw new Error(`${id} has not ended after ${patienceMs / 60_000} minutes`);
};

const extensions: Readonly<Record<string, string>> = {
  'video/mp4': 'mp4',
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/ogg': 'ogg',
  'text/plain': 'txt',
  'application/json': 'json',
};

const download = async (access: DemoAccess, { id, artifacts }: Generation): Promise<string[]> => {
  mkdirSync(access.outputFolder, { recursive: true });
  return Promise.all(
    artifacts.map(async ({ index, contentType, url }) => {
      const extension = extensions[contentType.split(';')[0]?.trim() ?? ''] ?? 'bin';
      const file = path.join(access.outputFolder, `${id}${index === 0 ? '' : `-${index}`}.${extension}`);
      await request(access, { route: url }, async ({ ok, status, body }) => {
        if (!ok || !body) throw new Error(`artifact ${index} of ${id} cannot be downloaded: status ${status}`);
        await pipeline(Readable.fromWeb(body), createWriteStream(file));
      });
      return file;
    }),
  );
};

const describeProgress = (generation: Generation): string =>
  [
    generation.phase ?? generation.status,
    nameChain(generation),
    generation.progress === null ? '' : `${generation.progress} %`,
  ]
    .filter((part) => part !== '')
    .join('  ');

const summarise = (generation: Generation, last: string): string =>
  [generation.id, generation.status, nameChain(generation) || '-', `$${generation.cost?.actualUsd ?? '0'}`, last].join(
    '  ',
  );

const figuresOf = (model: string, { createdAt, completedAt, cost, artifacts }: Generation): DemoResult['figures'] => ({
  model,
  seconds: (Date.parse(completedAt ?? createdAt) - Date.parse(createdAt)) / 1000,
  costUsd: cost?.actualUsd ?? '0',
  sizeBytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
});

/** From the request to the file. Never rejects: one generation's end must not hide the others'. */
export const runDemoGeneration = async (
  planned: PlannedGeneration,
  access: DemoAccess,
  display: DemoDisplay,
): Promise<DemoResult> => {
  const show = (text: string): void => display.show(planned.label, text);
  try {
    show('submitting');
    const accepted = await request(access, { route: '/v1/generations', body: planned.body }, readJson<Generation>);
    const ended = await follow(access, accepted.id, (generation) => show(describeProgress(generation)));
    const figures = figuresOf(planned.label, ended);
    if (ended.status !== 'succeeded') {
      return {
        succeeded: false,
        figures,
        line: summarise(ended, ended.error ? `${ended.error.code}: ${ended.error.message}` : '-'),
      };
    }
    const files = await download(access, ended);
    return { succeeded: files.length > 0, figures, line: summarise(ended, files.join(' ') || 'no artifact') };
  } catch (error) {
    show('failed');
    return { succeeded: false, figures: null, line: `${planned.label}  failed  ${(error as Error).message}` };
  }
};
