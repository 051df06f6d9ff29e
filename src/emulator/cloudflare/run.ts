import type { Answer } from '../answer';
import type { Call } from '../provider';
import { runImage } from './images';
import { endOf, findModel } from './models';
import { deprecated, invalidModel, noBody, noModel, noRoute } from './problems';
import { runText } from './text';

const isEmpty = (body: unknown): boolean => body === undefined || (Buffer.isBuffer(body) && body.length === 0);

export const runModel = (call: Call): Answer | Promise<Answer> => {
  // The slashes of the name are slashes of the path; encoded ones lead nowhere.
  if (/%2f/i.test(call.path)) return noRoute;
  const name = call.params['model'] ?? '';
  if (!/^@(cf|hf)\/[\w.-]+\/[\w.-]+$/.test(name)) return invalidModel;
  const model = findModel(name);
  if (model === undefined) return noModel(name);
  const day = endOf(call, model);
  if (day !== undefined) return deprecated(day);
  if (isEmpty(call.body)) return noBody('body');
  return model.task === 'Text Generation' ? runText(call, name, model) : runImage(call, name, model);
};
