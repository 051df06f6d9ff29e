import type { Command } from 'commander';
import { composeBody, type BodyOptions } from '../body';
import { saveArtifacts } from '../download';
import { exitCodes, type ExitCode } from '../failure';
import type { Generation } from '../resource';
import { exitCodeOf, present, type Session } from '../session';
import { submit } from '../submit';
import { plainLines } from '../terminal';
import { summarize } from '../timeline';
import { waitForEnds } from '../wait';
import { collect, patienceOption, readPatience, type Register } from './options';

type Options = BodyOptions & { idempotencyKey?: string; wait?: boolean; output?: string; patience: string };

const describeResult = (session: Session, generation: Generation, files: readonly string[]): string[] => [
  summarize(generation, session.terminal),
  ...(generation.text === null ? [] : [plainLines(generation.text)]),
  ...(files.length > 0 ? files : generation.artifacts.map(({ url }) => session.api.resolve(url))),
];

const generate = async (session: Session, words: readonly string[], options: Options): Promise<ExitCode> => {
  const { api, terminal } = session;
  const body = await composeBody(api, words, options);
  const patienceSeconds = readPatience(options.patience);
  const { idempotencyKey } = options;
  const accepted = await submit(session, { route: '/v1/generations', body, idempotencyKey, patienceSeconds });
  if (options.wait !== true && options.output === undefined) {
    present(session, accepted, () => [summarize(accepted, terminal)]);
    terminal.tell(`look: sureshot show ${accepted.id}`);
    return exitCodes.ok;
  }
  const [ended = accepted] = await waitForEnds({ api, terminal, patienceSeconds }, [accepted.id]);
  const wantsFiles = options.output !== undefined && ended.status === 'succeeded';
  const files = wantsFiles ? await saveArtifacts(api, ended, options.output ?? '') : [];
  present(session, ended, () => describeResult(session, ended, files));
  return exitCodeOf([ended]);
};

const examples = `
Examples:
  sureshot generate "a red bicycle in the rain" --medium image --wait --output bicycle.png
  sureshot generate --medium video --model fal/veo3.1 --image start.png --duration 8 --prompt "it drives off"
  sureshot generate "Hello." --medium speech --voice alloy --input format=mp3 --set onAmbiguous=hold
  sureshot generate --file body.json --idempotency-key order-7`;

export const registerGenerate: Register = (program: Command, run) =>
  program
    .command('generate')
    .description('ask for a video, an image, speech or a text')
    .argument('[prompt...]', 'what to make; - reads it from standard input')
    .option('--prompt <text>', 'the same as the argument')
    .option('--medium <medium>', 'video, image, speech or text')
    .option('--model <name>', 'auto, a model, a provider’s own name for it, or a family')
    .option(
      '--strategy <strategy>',
      'how auto chooses: balanced, cost, speed, quality, availability, round_robin, weighted, least_latency',
    )
    .option('--max-cost <usd>', 'models that may cost more are out')
    .option('--duration <seconds>', 'of a video')
    .option('--aspect-ratio <ratio>', 'such as 16:9')
    .option('--size <pixels>', 'such as 1024x1024')
    .option('--voice <voice>', 'of speech')
    .option('--image <image>', 'file, URL, upload (upl_…) or earlier result (gen_… or gen_…/1)')
    .option('--input <key=value>', 'any other member of input, as JSON or text (repeatable)', collect, [])
    .option('--set <key=value>', 'any other member of the body (repeatable)', collect, [])
    .option('--tag <tag>', 'to find it again (repeatable)', collect, [])
    .option('--file <body.json>', 'the whole body; options override it; - reads standard input')
    .option('--idempotency-key <key>', 'the same key and body are the same generation')
    .option('--wait', 'until it has ended')
    .option('--output <path>', 'save the results there (implies --wait); a folder takes several')
    .addOption(patienceOption())
    .addHelpText('after', examples)
    .action(run((session, words: string[], options: Options) => generate(session, words, options)));
