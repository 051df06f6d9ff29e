import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../failure';
import { routeOf, subjectOf, type Generation, type Page } from '../resource';
import { present, type Session } from '../session';
import { drawTable, type Column } from '../table';
import { describeGeneration, summarize } from '../timeline';
import { waitForEnds } from '../wait';
import { paintOf, tellTime } from '../words';
import { addFilter, filterOf, patienceOption, readPatience, type Filter, type Register } from './options';

const show = async (session: Session, id: string): Promise<ExitCode> => {
  const { api, terminal } = session;
  const generation = await api.call<Generation>(routeOf(id));
  present(session, generation, () => describeGeneration(generation, terminal, api.resolve));
  return exitCodes.ok;
};

const columnsFor = ({ terminal }: Session): Column<Generation>[] => [
  { title: 'ID', text: ({ id }) => id },
  { title: 'MEDIUM', text: ({ medium }) => medium },
  {
    title: 'STATUS',
    text: ({ status, phase, progress }) => `${phase ?? status}${progress === null ? '' : ` ${progress} %`}`,
    paint: (text, { status }) => terminal.paint(paintOf(status), text),
  },
  { title: 'MODEL', text: ({ model }) => model ?? '', flexible: true },
  { title: 'USD', text: ({ cost }) => cost.actualUsd, right: true },
  { title: 'CREATED', text: ({ createdAt }) => tellTime(createdAt) },
  { title: 'ABOUT', text: (row) => (row.error === null ? subjectOf(row) : row.error.code), flexible: true },
];

type ListOptions = Filter & { limit?: string; all?: boolean; after?: string };

const largestPage = 100;

const readAll = async (session: Session, filter: Filter, first: string | undefined): Promise<Generation[]> => {
  const found: Generation[] = [];
  let after = first;
  for (;;) {
    const query = { ...filter, limit: largestPage, after };
    const page = await session.api.call<Page<Generation>>('/v1/generations', { query });
    found.push(...page.data);
    if (!page.hasMore || page.nextCursor === null) return found;
    after = page.nextCursor;
  }
};

const list = async (session: Session, options: ListOptions): Promise<ExitCode> => {
  const { api, terminal } = session;
  const draw = (rows: readonly Generation[]): string[] =>
    rows.length === 0 ? ['no generation'] : drawTable(columnsFor(session), rows, terminal.outColumns);
  if (options.all === true) {
    const rows = await readAll(session, filterOf(options), options.after);
    present(session, rows, () => draw(rows));
    return exitCodes.ok;
  }
  const query = { ...filterOf(options), limit: options.limit, after: options.after };
  const page = await api.call<Page<Generation>>('/v1/generations', { query });
  present(session, page, () => draw(page.data));
  if (page.hasMore) terminal.tell(`there are more: --all, or --after ${page.nextCursor ?? ''}`);
  return exitCodes.ok;
};

type CancelOptions = { wait?: boolean; patience: string };

const cancel = async (session: Session, id: string, options: CancelOptions): Promise<ExitCode> => {
  const { api, terminal } = session;
  const asked = await api.call<Generation>(routeOf(id, 'cancel'), { method: 'POST' });
  if (options.wait !== true) {
    present(session, asked, () => [summarize(asked, terminal)]);
    return exitCodes.ok;
  }
  const waiting = { api, terminal, patienceSeconds: readPatience(options.patience) };
  const [ended = asked] = await waitForEnds(waiting, [id]);
  present(session, ended, () => [summarize(ended, terminal)]);
  // what was asked for here is that it ends so
  return ended.status === 'canceled' ? exitCodes.ok : exitCodes.failed;
};

export const registerGenerations: Register = (program: Command, run) => {
  program
    .command('show')
    .description('one generation: what happened to it, attempts, cost, results')
    .argument('<id>')
    .action(run((session, id: string) => show(session, id)));
  addFilter(program.command('list').description('generations, newest first'))
    .option('--limit <number>', 'how many, at most 100 (20)')
    .option('--after <cursor>', 'go on behind a page')
    .option('--all', 'every page')
    .action(run((session, options: ListOptions) => list(session, options)));
  program
    .command('cancel')
    .description('end a generation; what was sent is cancelled at the provider where it can be')
    .argument('<id>')
    .option('--wait', 'until it has ended; exit code 0 if it ended canceled')
    .addOption(patienceOption())
    .action(run((session, id: string, options: CancelOptions) => cancel(session, id, options)));
};
