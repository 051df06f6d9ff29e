/** @see https://ai.google.dev/gemini-api/docs/image-generation: pixels at 1K; other sizes are multiples. */
const common = { '1:1': [1024, 1024] } as const;

const flash: Record<string, readonly [number, number]> = {
  ...common,
  '2:3': [832, 1248],
  '3:2': [1248, 832],
  '3:4': [864, 1184],
  '4:3': [1184, 864],
  '4:5': [896, 1152],
  '5:4': [1152, 896],
  '9:16': [768, 1344],
  '16:9': [1344, 768],
  '21:9': [1536, 672],
};

const pro: Record<string, readonly [number, number]> = {
  ...common,
  '2:3': [848, 1264],
  '3:2': [1264, 848],
  '3:4': [896, 1200],
  '4:3': [1200, 896],
  '4:5': [928, 1152],
  '5:4': [1152, 928],
  '9:16': [768, 1376],
  '16:9': [1376, 768],
  '21:9': [1584, 672],
};

const wide: Record<string, readonly [number, number]> = {
  ...pro,
  '1:4': [512, 2048],
  '4:1': [2048, 512],
  '1:8': [384, 3072],
  '8:1': [3072, 384],
};

const tables: Record<string, Record<string, readonly [number, number]>> = {
  'gemini-2.5-flash-image': flash,
  'gemini-3.1-flash-image': wide,
  'gemini-3-pro-image': pro,
};

const scales: Record<string, number> = { '512': 0.5, '1K': 1, '2K': 2, '4K': 4 };

export const aspectRatiosOf = (model: string): string[] => Object.keys(tables[model] ?? common);

export const pixelsOf = (
  model: string,
  { aspectRatio = '1:1', imageSize = '1K' }: { aspectRatio?: string; imageSize?: string },
): { width: number; height: number } => {
  const [width, height] = tables[model]?.[aspectRatio] ?? common['1:1'];
  const scale = scales[imageSize] ?? 1;
  return { width: width * scale, height: height * scale };
};
