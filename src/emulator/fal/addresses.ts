import type { Operation } from '../operations';
import type { Call } from '../provider';
import { findOwn } from '../submit';

/** Endpoint ids have a path (`fal-ai/flux/dev`); their requests live at the application (`fal-ai/flux`). */
const applicationOf = (endpoint: string): string => endpoint.split('/').slice(0, 2).join('/');

export const findRequest = (call: Call): Operation | undefined => {
  const operation = findOwn(call, call.params['id'] ?? '');
  const application = `${call.params['owner'] ?? ''}/${call.params['app'] ?? ''}`;
  return operation !== undefined && applicationOf(operation.model) === application ? operation : undefined;
};

export const linksOf = (call: Call, operation: Operation): Record<string, string> => {
  const url = `${call.origin}/fal/${applicationOf(operation.model)}/requests/${operation.id}`;
  return { response_url: url, status_url: `${url}/status`, cancel_url: `${url}/cancel` };
};
