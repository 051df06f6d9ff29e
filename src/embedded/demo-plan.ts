import { parseArgs } from 'node:util';
import type { DemoAccess, PlannedGeneration } from './demo-generation';
import { StackError } from './stack-error';

/** What the command line asks for. Null: the demo's own choice. */
export type DemoArguments = { medium: string | null; prompt: string | null; all: boolean };

const prompts: Readonly<Record<string, string>> = {
  video: 'a paper boat drifting down a rainy street at dusk',
  image: 'a red bicycle leaning on a yellow wall',
  speech: 'Every generation is submitted once, and followed to its end.',
  text: 'Explain durable execution in two sentences.',
};

const soundPrompt = 'rain on a tin roof, distant thunder';

const usage = `usage: npm run demo [-- --medium ${Object.keys(prompts).join('|')}] [--prompt "…"] [--all]`;
const usageExitCode = 2;

const parse = (words: string[]) => {
  try {
    const options = { medium: { type: 'string' }, prompt: { type: 'string' }, all: { type: 'boolean' } } as const;
    return parseArgs({ args: words, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new StackError(`${(error as Error).message}\n${usage}`, usageExitCode);
  }
};

export const parseDemoArguments = (words: string[]): DemoArguments => {
  const { medium, prompt, all } = parse(words);
  if (medium !== undefined && !(medium in prompts))
    throw new StackError(`there is no medium "${medium}"\n${usage}`, usageExitCode);
  if (prompt?.trim() === '') throw new StackError(`--prompt is empty\n${usage}`, usageExitCode);
  return { medium: medium ?? null, prompt: prompt ?? null, all: all === true };
};

/** 64 × 64 pixels of one colour: enough for a model that only starts from an image. */
const smallPng =
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsIt0/RMYywi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLY/YEPXtEYHAAAAABJRU5ErkJggg==';

type ListedModel = {
  id: string;
  provider: string;
  medium: string;
  lifecycle: { status: string };
  capabilities: { from: readonly string[]; speechTask?: string; referenceImages?: { minimum: number } };
};

/** The least a model starts from besides a text. */
const startFor = ({ capabilities }: ListedModel): Record<string, unknown> => {
  const image = { base64: smallPng, contentType: 'image/png' };
  const { from, speechTask, referenceImages } = capabilities;
  return {
    ...(!from.includes('text') && { image }),
    ...(speechTask === 'sound_effect' && { task: speechTask }),
    ...((referenceImages?.minimum ?? 0) > 0 && { referenceImages: Array(referenceImages?.minimum).fill(image) }),
  };
};

const planModel = (model: ListedModel, prompt: string | null): PlannedGeneration => {
  const { id, medium } = model;
  const text = model.capabilities.speechTask === 'sound_effect' ? soundPrompt : (prompts[medium] ?? '');
  return { label: id, body: { medium, model: id, input: { prompt: prompt ?? text, ...startFor(model) } } };
};

const listModels = async ({ apiUrl, apiKey }: DemoAccess): Promise<ListedModel[]> => {
  const answer = await fetch(`${apiUrl}/v1/models`, { headers: { authorization: `Bearer ${apiKey}` } });
  if (!answer.ok) throw new StackError(`the models cannot be listed: the API answered ${answer.status}`);
  return ((await answer.json()) as { data: ListedModel[] }).data;
};

/** One generation of each medium wanted, the model left to the service; or with `--all` one of every active model. */
export const planDemo = async (demo: DemoArguments, access: DemoAccess): Promise<PlannedGeneration[]> => {
  const media = demo.medium === null ? Object.keys(prompts) : [demo.medium];
  if (!demo.all) {
    return media.map((medium) => ({
      label: medium,
      body: { medium, input: { prompt: demo.prompt ?? prompts[medium] ?? '' } },
    }));
  }
  const models = await listModels(access);
  const wanted = models.filter(
    ({ provider, medium, lifecycle }) => provider !== 'mock' && lifecycle.status === 'active' && media.includes(medium),
  );
  return wanted.map((model) => planModel(model, demo.prompt));
};
