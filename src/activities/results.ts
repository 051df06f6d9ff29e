import { adaptInput, describeAdaptation } from '../domain/adapted-input';
import type { GenerationInput } from '../domain/generation';
import type { Model } from '../domain/model';
import type { Money } from '../domain/money';
import { actualCost } from '../domain/pricing';
import { storable } from '../domain/text';
import type { Outcome, Output } from '../providers/provider';
import type { AttemptKey, StoredOutput } from '../stores/attempts';
import type { Dependencies } from './dependencies';

type Succeeded = Extract<Outcome, { state: 'succeeded' }>;

/** The provider's own figure where it tells one, else our table's. */
export const costOf = (model: Model, input: GenerationInput, outcome: Succeeded): Money | null =>
  outcome.chargedUsd ?? actualCost(model, adaptInput(model, input), outcome.usage);

/** What we changed about the request for this model, then what the provider says. */
export const warningsOf = (model: Model, input: GenerationInput, { warnings }: Succeeded): string[] => [
  ...describeAdaptation(model, input),
  ...warnings,
];

/** Which send of an attempt. */
export type SendKey = AttemptKey & { epoch: number };

/** Under the send that made it: two sends never write the same blob. */
export const blobKey = ({ generationId, number, epoch }: SendKey, index: number): string =>
  `generations/${generationId}/${number}-${epoch}/${index}`;

const keep = async ({ blobs }: Dependencies, key: string, output: Output): Promise<StoredOutput> => {
  if (output.kind === 'text') return { kind: 'text', text: storable(output.text) };
  if (output.kind === 'url') return output;
  const stored = await blobs.write(key, output.bytes);
  return { kind: 'blob', key, contentType: output.contentType, ...stored };
};

/** Bytes that came with the answer exist nowhere else: they are stored before the answer is recorded. */
export const keepOutputs = (
  dependencies: Dependencies,
  key: SendKey,
  outputs: readonly Output[],
): Promise<StoredOutput[]> =>
  Promise.all(outputs.map((output, index) => keep(dependencies, blobKey(key, index), output)));
