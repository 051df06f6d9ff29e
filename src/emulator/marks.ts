type Values = Record<string, unknown>;

const valuesOf = (value: unknown): Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
    ? (value as Values)
    : {};

/**
 * By what a caller could know its own work again: read from the wire and not from what a provider makes of it, so that
 * a mark which the provider ignores is seen too.
 */
export const marksOf = (body: unknown): Values => {
  const values = valuesOf(body);
  const parameters = valuesOf(values['parameters']);
  const config = valuesOf(values['generation_config']);
  const hooks = valuesOf(values['webhookConfig'] ?? values['webhook_config']);
  const marks = {
    trace: values['trace'],
    seed: values['seed'] ?? parameters['seed'] ?? config['seed'],
    metadata: values['metadata'] ?? hooks['userMetadata'] ?? hooks['user_metadata'],
    labels: values['labels'],
  };
  return Object.fromEntries(Object.entries(marks).filter(([, value]) => value !== undefined && value !== null));
};
