const valuesOf = (value: unknown): Record<string, unknown> => Object(value) as Record<string, unknown>;

/** Without addresses of its own an operation is told to the project's webhooks, of which this project has none. */
export const webhookUrlsOf = (config: unknown): string[] => {
  const uris = valuesOf(config)['uris'];
  return Array.isArray(uris) ? uris.map(String) : [];
};

/** As Veo (camelCase) and Interactions (snake_case) spell it. */
export const webhookMetadataOf = (config: unknown): unknown =>
  valuesOf(config)['userMetadata'] ?? valuesOf(config)['user_metadata'];
