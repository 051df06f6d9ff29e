import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Api } from './api';
import { assign, withMember, type Json } from './assignments';
import { usageError } from './failure';

/** Of `sureshot generate`, as commander hands them over. */
export type BodyOptions = {
  prompt?: string;
  file?: string;
  medium?: string;
  model?: string;
  strategy?: string;
  maxCost?: string;
  duration?: string;
  aspectRatio?: string;
  size?: string;
  voice?: string;
  image?: string;
  input: string[];
  set: string[];
  tag: string[];
};

const standardInput = '-';

const readAll = async (stream: AsyncIterable<unknown>): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const readText = async (file: string): Promise<string> => {
  try {
    return await (file === standardInput ? readAll(process.stdin) : readFile(file, 'utf8'));
  } catch (error) {
    throw usageError(`${file === standardInput ? 'standard input' : file} cannot be read`, (error as Error).message);
  }
};

const readBodyFile = async (file: string): Promise<Json> => {
  const text = await readText(file);
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Json;
  } catch (error) {
    throw usageError(`${file} is no JSON`, (error as Error).message);
  }
  throw usageError(`${file} holds no JSON object`);
};

const readPrompt = async (words: readonly string[], { prompt, file }: BodyOptions): Promise<string | undefined> => {
  const argument = words.length > 0 ? words.join(' ') : undefined;
  if (argument !== undefined && prompt !== undefined)
    throw usageError('the prompt is given twice: as words and with --prompt');
  const given = argument ?? prompt;
  if (given !== standardInput) return given;
  if (file === standardInput) throw usageError('standard input cannot be prompt and body at once');
  return (await readText(standardInput)).trim();
};

const checkNumber = (name: string, text: string): number => {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw usageError(`${name} takes a number, not ${text}`);
};

/** By address, upload, an earlier artifact (`gen_…` or `gen_…/1`), or a file of this machine, which is uploaded. */
const nameImage = async (api: Api, image: string): Promise<Json> => {
  if (/^https?:\/\//i.test(image)) return { url: image };
  if (/^upl_\w+$/.test(image)) return { upload: image };
  const [, generation, index = '0'] = /^(gen_\w+)(?:\/(\d+))?$/.exec(image) ?? [];
  if (generation !== undefined) return { generation, index: Number(index) };
  if (statSync(image, { throwIfNoEntry: false })?.isFile() !== true)
    throw usageError(`${image} is no file, no http URL, no upload (upl_…) and no generation (gen_…)`);
  return { upload: await api.upload(image) };
};

type Member = readonly [value: unknown, ...path: string[]];

/** The file first, then `--set` and `--input`, then what has an option of its own. */
export const composeBody = async (api: Api, words: readonly string[], options: BodyOptions): Promise<Json> => {
  const prompt = await readPrompt(words, options);
  let body: Json = options.file === undefined ? {} : await readBodyFile(options.file);
  for (const assignment of options.set) body = assign(body, assignment);
  for (const assignment of options.input) body = assign(body, assignment, ['input']);
  const { duration, image } = options;
  const members: Member[] = [
    [options.medium, 'medium'],
    [options.model, 'model'],
    [options.strategy, 'routing', 'strategy'],
    [options.maxCost, 'routing', 'maxCostUsd'],
    [options.tag.length > 0 ? options.tag : undefined, 'tags'],
    [prompt, 'input', 'prompt'],
    [duration === undefined ? undefined : checkNumber('--duration', duration), 'input', 'durationSeconds'],
    [options.aspectRatio, 'input', 'aspectRatio'],
    [options.size, 'input', 'size'],
    [options.voice, 'input', 'voice'],
    [image === undefined ? undefined : await nameImage(api, image), 'input', 'image'],
  ];
  for (const [value, ...path] of members) if (value !== undefined) body = withMember(body, path, value);
  if (body['medium'] === undefined)
    throw usageError('what is it to be? --medium video, image, speech or text (or a body by --file)');
  return body;
};
