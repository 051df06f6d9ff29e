import { anyValue, bool, bytes, float, int32, list, message, oneOf, struct, text } from './message';

const api = 'google.ai.generativelanguage.v1beta';

const part = message({
  text,
  inlineData: message({ mimeType: text, data: bytes, displayName: text }),
  fileData: message({ mimeType: text, fileUri: text, displayName: text }),
  videoMetadata: message({ startOffset: text, endOffset: text, fps: float }),
  thought: bool,
  thoughtSignature: bytes,
  partMetadata: struct,
  // Tools and their traces are taken and left alone.
  functionCall: anyValue,
  functionResponse: anyValue,
  executableCode: anyValue,
  codeExecutionResult: anyValue,
  toolCall: anyValue,
  toolResponse: anyValue,
  mediaResolution: anyValue,
  mediaProcessing: anyValue,
  audioTranscription: anyValue,
  speechMetadata: anyValue,
});

const content = message({ role: text, parts: list(part) });

const harmCategories = [
  'UNSPECIFIED',
  'HARASSMENT',
  'HATE_SPEECH',
  'SEXUALLY_EXPLICIT',
  'DANGEROUS_CONTENT',
  'CIVIC_INTEGRITY',
  'JAILBREAK',
].map((name) => `HARM_CATEGORY_${name}`);

const thresholds = [
  'HARM_BLOCK_THRESHOLD_UNSPECIFIED',
  'BLOCK_LOW_AND_ABOVE',
  'BLOCK_MEDIUM_AND_ABOVE',
  'BLOCK_ONLY_HIGH',
  'BLOCK_NONE',
  'OFF',
];

const safetySetting = message({
  category: oneOf(`${api}.HarmCategory`, harmCategories),
  threshold: oneOf(`${api}.SafetySetting.HarmBlockThreshold`, thresholds),
});

const modality = oneOf(`${api}.GenerationConfig.Modality`, ['MODALITY_UNSPECIFIED', 'TEXT', 'IMAGE', 'AUDIO', 'VIDEO']);

const thinkingConfig = message({
  includeThoughts: bool,
  thinkingBudget: int32,
  thinkingLevel: oneOf(`${api}.ThinkingConfig.ThinkingLevel`, [
    'THINKING_LEVEL_UNSPECIFIED',
    'MINIMAL',
    'LOW',
    'MEDIUM',
    'HIGH',
  ]),
});

const generationConfig = message({
  candidateCount: int32,
  stopSequences: list(text),
  maxOutputTokens: int32,
  temperature: float,
  topP: float,
  topK: float,
  seed: int32,
  presencePenalty: float,
  frequencyPenalty: float,
  responseLogprobs: bool,
  logprobs: int32,
  responseMimeType: text,
  responseSchema: struct,
  responseJsonSchema: anyValue,
  responseModalities: list(modality),
  imageConfig: message({ aspectRatio: text, imageSize: text }),
  thinkingConfig,
  speechConfig: anyValue,
  audioTranscriptionConfig: anyValue,
  mediaResolution: oneOf(`${api}.GenerationConfig.MediaResolution`, [
    'MEDIA_RESOLUTION_UNSPECIFIED',
    'MEDIA_RESOLUTION_LOW',
    'MEDIA_RESOLUTION_MEDIUM',
    'MEDIA_RESOLUTION_HIGH',
  ]),
  enableEnhancedCivicAnswers: bool,
});

/** @see https://ai.google.dev/api/generate-content, and what the official client can send. */
export const contentFields = {
  model: text,
  contents: list(content),
  systemInstruction: content,
  safetySettings: list(safetySetting),
  generationConfig,
  tools: list(anyValue),
  toolConfig: anyValue,
  cachedContent: text,
  serviceTier: text,
  store: bool,
  labels: struct,
  continuationToken: text,
};

export const countFields = { contents: list(content), generateContentRequest: message(contentFields) };

export type Part = {
  text?: string;
  inlineData?: { mimeType?: string; data?: string };
  fileData?: { mimeType?: string; fileUri?: string };
};

export type Content = { role?: string; parts?: Part[] };

export type GenerationConfig = {
  candidateCount?: number;
  stopSequences?: string[];
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  responseMimeType?: string;
  responseSchema?: Record<string, unknown>;
  responseJsonSchema?: unknown;
  responseModalities?: string[];
  imageConfig?: { aspectRatio?: string; imageSize?: string };
  thinkingConfig?: { includeThoughts?: boolean; thinkingBudget?: number; thinkingLevel?: string };
};

/** What a body that passed `contentFields` looks like. */
export type ContentBody = {
  contents?: Content[];
  systemInstruction?: Content;
  generationConfig?: GenerationConfig;
};
