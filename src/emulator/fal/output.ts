import { artifactUrl } from '../artifacts';
import { extensionOf, renderOutput } from '../media';
import { hashOf, type Operation } from '../operations';
import type { Call } from '../provider';

const fileUrl = (call: Pick<Call, 'origin'>, operation: Operation, index: number): string => {
  if (operation.details['syncMode'] === true) {
    return `data:${operation.outputs[index]?.contentType ?? ''};base64,${renderOutput(operation, index).toString('base64')}`;
  }
  const lifetime = operation.details['lifetimeSeconds'];
  const endMs = (operation.startedAtMs ?? operation.submittedAtMs) + operation.durationMs;
  return artifactUrl(call, operation, {
    index,
    expiresAtMs: typeof lifetime === 'number' ? endMs + lifetime * 1000 : null,
  });
};

const videoOf = (call: Pick<Call, 'origin'>, operation: Operation): Record<string, unknown> => {
  const contentType = operation.outputs[0]?.contentType ?? '';
  return {
    video: {
      url: fileUrl(call, operation, 0),
      content_type: contentType,
      file_name: `output.${extensionOf(contentType)}`,
      file_size: renderOutput(operation, 0).length,
    },
  };
};

export const outputOf = (call: Pick<Call, 'origin'>, operation: Operation): Record<string, unknown> => {
  if (operation.medium === 'video') return videoOf(call, operation);
  const images = operation.outputs.map(({ contentType, width, height }, index) => ({
    url: fileUrl(call, operation, index),
    width,
    height,
    content_type: contentType,
  }));
  return {
    images,
    timings: { inference: operation.durationMs / 1000 },
    seed: operation.details['seed'] ?? Number.parseInt(hashOf(operation.id).slice(0, 8), 16),
    has_nsfw_concepts: images.map(() => operation.reason === 'filtered'),
    prompt: operation.prompt,
  };
};
