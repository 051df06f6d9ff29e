import { Option, type Command } from 'commander';
import { assign, type Json } from '../assignments';
import { exitCodes, usageError, type ExitCode } from '../failure';
import { routeOf, type Generation } from '../resource';
import { exitCodeOf, present, type Session } from '../session';
import { submit } from '../submit';
import { plain } from '../terminal';
import { summarize } from '../timeline';
import { waitForEnds } from '../wait';
import { addFilter, collect, filterOf, patienceOption, readPatience, type Filter, type Register } from './options';

type RerunOptions = Filter & {
  from: string;
  limit?: string;
  perMinute?: string;
  idempotencyKey?: string;
  set: string[];
  wait?: boolean;
  patience: string;
};

type Skipped = { id: string; code: string; message: string };
type Bulk = { data: Generation[]; skipped: Skipped[] };

const rerunOne = async (session: Session, id: string, options: RerunOptions): Promise<Generation> => {
  if (Object.keys(filterOf(options)).length > 0 || options.limit !== undefined || options.perMinute !== undefined)
    throw usageError('either the id of one generation or a filter for several, not both');
  const overrides = options.set.reduce<Json>((body, assignment) => assign(body, assignment), {});
  const body = { from: options.from, ...(options.set.length > 0 && { overrides }) };
  const { idempotencyKey, patience } = options;
  const submission = { route: routeOf(id, 'rerun'), body, idempotencyKey, patienceSeconds: readPatience(patience) };
  return submit(session, submission);
};

const readCount = (name: string, text: string): number => {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw usageError(`${name} takes a whole number, not ${text}`);
};

const rerunSeveral = (session: Session, options: RerunOptions): Promise<Bulk> => {
  const filter = filterOf(options);
  if (Object.keys(filter).length === 0)
    throw usageError('which? the id of one generation, or a filter such as --status failed');
  if (options.set.length > 0 || options.idempotencyKey !== undefined)
    throw usageError('--set and --idempotency-key go with the id of one generation only');
  const { from, limit, perMinute } = options;
  const body = {
    filter,
    from,
    ...(limit !== undefined && { limit: readCount('--limit', limit) }),
    ...(perMinute !== undefined && { perMinute: readCount('--per-minute', perMinute) }),
  };
  return session.api.call<Bulk>('/v1/generations/rerun', { method: 'POST', body });
};

const replace = (rows: readonly Generation[], ended: readonly Generation[]): Generation[] =>
  rows.map((row) => ended.find(({ id }) => id === row.id) ?? row);

const rerun = async (session: Session, id: string | undefined, options: RerunOptions): Promise<ExitCode> => {
  const { api, terminal } = session;
  const bulk: Bulk =
    id === undefined
      ? await rerunSeveral(session, options)
      : { data: [await rerunOne(session, id, options)], skipped: [] };
  const waiting = { api, terminal, patienceSeconds: readPatience(options.patience) };
  const ids = bulk.data.map((generation) => generation.id);
  const data = options.wait === true ? replace(bulk.data, await waitForEnds(waiting, ids)) : bulk.data;
  const tell = (generation: Generation): string =>
    `${summarize(generation, terminal)}${generation.rerunOf === null ? '' : `  (rerun of ${generation.rerunOf})`}`;
  present(session, id === undefined ? { ...bulk, data } : data[0], () => [
    ...data.map(tell),
    ...bulk.skipped.map(({ id: skipped, code, message }) => `${skipped}  skipped  ${plain(`${code}: ${message}`)}`),
    ...(data.length + bulk.skipped.length === 0 ? ['nothing to run again'] : []),
  ]);
  return options.wait === true ? exitCodeOf(data) : exitCodes.ok;
};

type ResolveOptions = { action: string; operation?: string; attempt?: string };

const resolve = async (session: Session, id: string, options: ResolveOptions): Promise<ExitCode> => {
  const { action, operation, attempt } = options;
  if (action === 'adopt' && operation === undefined)
    throw usageError('adopt takes the provider’s id of the operation: --operation <id>');
  const number = attempt === undefined ? undefined : Number(attempt);
  if (number !== undefined && !Number.isInteger(number)) throw usageError(`--attempt takes a number, not ${attempt}`);
  const body = {
    action,
    ...(operation !== undefined && { operation }),
    ...(number !== undefined && { attempt: number }),
  };
  const resolved = await session.api.call<Generation>(routeOf(id, 'resolve'), { method: 'POST', body });
  present(session, resolved, () => [summarize(resolved, session.terminal)]);
  return exitCodes.ok;
};

const fromOption = (): Option =>
  new Option('--from <step>', 'what was paid for and can be used is used again, or everything anew')
    .choices(['failed_step', 'start'])
    .default('failed_step');

const actionOption = (): Option =>
  new Option('--action <action>', 'send again, go on to the next model, take over an operation, or give up')
    .choices(['resubmit', 'fail_over', 'adopt', 'abandon'])
    .makeOptionMandatory();

export const registerRerun: Register = (program: Command, run) => {
  addFilter(
    program
      .command('rerun')
      .description('run again what failed, was canceled or expired: one by its id, or several by a filter')
      .argument('[id]'),
  )
    .option('--limit <number>', 'how many at most, with a filter (20)')
    .option('--per-minute <number>', 'how many of them begin in a minute (60)')
    .option('--idempotency-key <key>', 'of one: the same key and body are the same re-run')
    .addOption(fromOption())
    .option(
      '--set <key=value>',
      'what is to be different, such as model=auto or input.prompt=… (repeatable)',
      collect,
      [],
    )
    .option('--wait', 'until all have ended')
    .addOption(patienceOption())
    .action(run((session, id: string | undefined, options: RerunOptions) => rerun(session, id, options)));
  program
    .command('resolve')
    .description('decide about a generation that is held because nobody knows whether a provider took it')
    .argument('<id>')
    .addOption(actionOption())
    .option('--operation <id>', 'the provider’s own id, for adopt')
    .option('--attempt <number>', 'which one, where it is not the last')
    .action(run((session, id: string, options: ResolveOptions) => resolve(session, id, options)));
};
