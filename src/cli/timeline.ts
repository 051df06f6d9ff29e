import { subjectOf, type Attempt, type Failure, type Generation } from './resource';
import { plain, plainLines, type Terminal } from './terminal';
import { paintOf, tellBytes, tellDuration, tellTime } from './words';

type Moment = { at: string; text: string };

const usd = (amount: string | null): string => (amount === null ? '' : ` · ${amount} USD`);

const possible = (amount: string | null): string =>
  amount === null || Number(amount) === 0 ? '' : ` · perhaps ${amount} USD`;

const tellFailure = ({ code, message, retryable }: Failure): string =>
  `${code}: ${message}${retryable ? ' (may be tried again)' : ''}`;

const tellPlan = ({ number, model, provider, credential, gateway }: Attempt): string => {
  const via = gateway === null ? '' : ` through ${gateway}`;
  return `attempt ${number} planned · ${model} at ${provider}${via}${credential === null ? '' : ` · key ${credential}`}`;
};

const momentsOf = (attempt: Attempt): Moment[] => {
  const { number, operation, status, costUsd, possibleCostUsd, startedAt, submittedAt, endedAt, error } = attempt;
  const accepted = operation === null ? '' : ` · operation ${operation}`;
  const requestId = attempt.providerRequestId === null ? '' : ` · request ${attempt.providerRequestId}`;
  const why = error === null ? '' : ` · ${tellFailure(error)}`;
  const end = `attempt ${number} ${status}${usd(costUsd)}${possible(possibleCostUsd)}${why}`;
  return [
    ...(startedAt === null ? [] : [{ at: startedAt, text: tellPlan(attempt) }]),
    ...(submittedAt === null ? [] : [{ at: submittedAt, text: `attempt ${number} sent${accepted}${requestId}` }]),
    ...(endedAt === null ? [] : [{ at: endedAt, text: end }]),
  ];
};

const sinceMs = (from: string, at: string): number => Date.parse(at) - Date.parse(from);

const listMoments = (generation: Generation): Moment[] => {
  const { createdAt, startedAt, cancelRequestedAt, completedAt, status, error } = generation;
  const why = error === null ? '' : ` · ${error.code}`;
  const moments = [
    { at: createdAt, text: 'accepted' },
    ...(startedAt === null ? [] : [{ at: startedAt, text: 'begun' }]),
    ...generation.attempts.flatMap(momentsOf),
    ...(cancelRequestedAt === null ? [] : [{ at: cancelRequestedAt, text: 'cancel asked for' }]),
  ].sort((one, other) => sinceMs(other.at, one.at));
  return completedAt === null ? moments : [...moments, { at: completedAt, text: `${status}${why}` }];
};

/** What has no moment yet: where it stands now. */
const describeNow = ({ status, phase, progress }: Generation): string => {
  const percent = progress === null ? '' : `, ${progress} %`;
  return phase === null ? status : `${status}: ${phase}${percent}`;
};

const costLine = ({ actualUsd, possibleUsd, reservedUsd }: Generation['cost']): string =>
  `${actualUsd} USD${possible(possibleUsd)}${Number(reservedUsd) === 0 ? '' : ` · reserved ${reservedUsd} USD`}`;

const tookOf = ({ createdAt, completedAt }: Generation): string =>
  completedAt === null ? '' : ` · took ${tellDuration(sinceMs(createdAt, completedAt))}`;

type Resolve = (link: string) => string;

const facts = (generation: Generation, resolve: Resolve): [string, string][] => {
  const { model, error, warnings, rerunOf, tags, links } = generation;
  const linked = Object.entries(links).filter((entry): entry is [string, string] => entry[1] !== null);
  const all: [string, string | null][] = [
    ['prompt', subjectOf(generation)],
    ['model', model],
    ['cost', costLine(generation.cost)],
    ['created', `${tellTime(generation.createdAt)}${tookOf(generation)}`],
    ['error', error && tellFailure(error)],
    ['rerun of', rerunOf],
    ['tags', tags.join(', ')],
    ...warnings.map((warning): [string, string] => ['warning', warning]),
    ...linked.map(([name, link]): [string, string] => [name, resolve(link)]),
  ];
  return all.filter((fact): fact is [string, string] => fact[1] !== null && fact[1] !== '');
};

const labelled = ([label, text]: [string, string]): string => `  ${label.padEnd(9)} ${plain(text)}`;

const titled = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', title, ...lines]);

/** A generation's whole story, for people. */
export const describeGeneration = (generation: Generation, terminal: Terminal, resolve: Resolve): string[] => {
  const { id, medium, status, createdAt, artifacts, text } = generation;
  const moments = listMoments(generation).map(
    ({ at, text: what }) => `  +${tellDuration(sinceMs(createdAt, at)).padEnd(9)} ${plain(what)}`,
  );
  const files = artifacts.map(
    ({ index, contentType, bytes, sha256, url }) =>
      `  ${index}  ${plain(contentType)}  ${tellBytes(bytes)}  sha256 ${sha256}  ${resolve(url)}`,
  );
  return [
    `${terminal.paint('bold', id)}  ${medium}  ${terminal.paint(paintOf(status), describeNow(generation))}`,
    ...facts(generation, resolve).map(labelled),
    ...titled('timeline', moments),
    ...titled('artifacts', files),
    ...titled('text', text === null ? [] : [plainLines(text)]),
  ];
};

/** The same in one line. */
export const summarize = (generation: Generation, terminal: Terminal): string => {
  const { id, status, model, cost, error } = generation;
  const parts = [model ?? '', costLine(cost), error === null ? '' : tellFailure(error)].filter((part) => part !== '');
  return `${id}  ${terminal.paint(paintOf(status), status)}  ${plain(parts.join(' · '))}`;
};
