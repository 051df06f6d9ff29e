import { bytesAnswer, jsonAnswer, type Answer } from '../answer';
import { detail } from './problems';
import { historyIdOf } from './speech';
import { findVoice } from './voices';
import { renderOutput } from '../media';
import { stateOf, type Operation } from '../operations';
import type { Call } from '../provider';
import { ownOperations } from '../submit';

const unixOf = (operation: Operation): number => Math.floor(operation.submittedAtMs / 1000);

/** What was made and may be kept, newest first. */
const itemsOf = (call: Call): Operation[] =>
  ownOperations(call)
    .filter(
      (operation) => operation.details['isLogged'] === true && stateOf(operation, call.world.clock()) === 'succeeded',
    )
    .reverse();

const toItem = (operation: Operation): Record<string, unknown> => {
  const voice = String(operation.details['voice']);
  return {
    history_item_id: historyIdOf(operation.id),
    request_id: operation.id,
    voice_id: voice,
    model_id: operation.model,
    voice_name: findVoice(voice) ?? null,
    voice_category: 'premade',
    text: operation.prompt,
    date_unix: unixOf(operation),
    character_count_change_from: 0,
    character_count_change_to: operation.prompt.length,
    content_type: operation.outputs[0]?.contentType ?? 'audio/mpeg',
    state: 'created',
    settings: operation.details['settings'],
    source: 'TTS',
    output_format: operation.details['format'],
  };
};

const filters: Record<string, (operation: Operation, wanted: string) => boolean> = {
  search: ({ prompt }, wanted) => prompt.toLowerCase().includes(wanted.toLowerCase()),
  voice_id: ({ details }, wanted) => details['voice'] === wanted,
  model_id: ({ model }, wanted) => model === wanted,
  source: (_, wanted) => wanted === 'TTS',
  date_after_unix: (operation, wanted) => unixOf(operation) >= Number(wanted),
  date_before_unix: (operation, wanted) => unixOf(operation) < Number(wanted),
};

/** "If provided, source becomes required": of `search` in the older documents, of `model_id` in those of the SDK. */
const needsSource = ['search', 'model_id'];

const sourceMissing = jsonAnswer(422, {
  detail: [{ loc: ['query', 'source'], msg: 'Field required', type: 'missing', input: null }],
});

export const listHistory = (call: Call): Answer => {
  if (!call.query.has('source') && needsSource.some((name) => call.query.has(name))) return sourceMissing;
  const found = itemsOf(call).filter((operation) =>
    [...call.query].every(([name, wanted]) => filters[name]?.(operation, wanted) ?? true),
  );
  if (call.query.get('sort_direction') === 'asc') found.reverse();
  const pageSize = Math.min(1000, Number(call.query.get('page_size') ?? 100));
  const after = call.query.get('start_after_history_item_id');
  const start = after === null ? 0 : found.findIndex(({ id }) => historyIdOf(id) === after) + 1;
  const history = found.slice(start, start + pageSize).map(toItem);
  return jsonAnswer(200, {
    history,
    last_history_item_id: history.at(-1)?.['history_item_id'] ?? null,
    has_more: found.length > start + pageSize,
    scanned_until: null,
  });
};

export const findHistoryItem = (call: Call): Operation | undefined =>
  itemsOf(call).find(({ id }) => historyIdOf(id) === call.params['id']);

const missing = detail(404, 'history_item_not_found', 'History item not found.');

export const retrieveItem = (call: Call): Answer => {
  const operation = findHistoryItem(call);
  return operation === undefined ? missing : jsonAnswer(200, toItem(operation));
};

/** The bytes of then: downloading again makes nothing anew and costs nothing. */
export const retrieveAudio = (call: Call): Answer => {
  const operation = findHistoryItem(call);
  if (operation === undefined) return missing;
  call.touched = operation;
  return bytesAnswer(renderOutput(operation, 0), { 'content-type': operation.outputs[0]?.contentType ?? 'audio/mpeg' });
};
