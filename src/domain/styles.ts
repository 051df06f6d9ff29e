/** A look that is written into a prompt. */
export type Style = {
  id: string;
  name: string;
  /** What is added to the prompt of a model without a parameter for it. */
  promptFragment: string;
  /** A prompt that shows it well. */
  example: string;
};

export const styles: readonly Style[] = [
  {
    id: 'cinematic',
    name: 'Cinematic',
    promptFragment: 'cinematic film still, dramatic lighting, shallow depth of field, anamorphic lens, film grain',
    example: 'a lighthouse keeper climbing the stairs at dusk',
  },
  {
    id: 'anime',
    name: 'Anime',
    promptFragment: 'anime style, clean line work, cel shading, expressive faces, vivid skies',
    example: 'two friends waiting for the last tram in summer rain',
  },
  {
    id: 'photorealistic',
    name: 'Photorealistic',
    promptFragment: 'photorealistic, natural light, true colours, fine texture, 50 mm photograph',
    example: 'a fox drinking from a forest stream in the morning',
  },
  {
    id: 'watercolor',
    name: 'Watercolour',
    promptFragment: 'watercolour painting, soft washes, visible paper grain, bleeding edges',
    example: 'an old harbour with fishing boats',
  },
  {
    id: '3d',
    name: '3D render',
    promptFragment: '3D render, global illumination, soft shadows, physically based materials',
    example: 'a tiny greenhouse on a floating island',
  },
  {
    id: 'pixel',
    name: 'Pixel art',
    promptFragment: 'pixel art, 16-bit palette, crisp square pixels, no smoothing',
    example: 'a wizard crossing a bridge over lava',
  },
  {
    id: 'line-art',
    name: 'Line art',
    promptFragment: 'black line art on white, even stroke weight, no shading',
    example: 'a bicycle leaning against a tree',
  },
  {
    id: 'product',
    name: 'Product shot',
    promptFragment: 'studio product photograph, seamless background, soft box lighting, sharp focus',
    example: 'a glass bottle of olive oil',
  },
  {
    id: 'documentary',
    name: 'Documentary',
    promptFragment: 'documentary photograph, available light, candid moment, muted colours',
    example: 'bakers at work at four in the morning',
  },
  {
    id: 'noir',
    name: 'Film noir',
    promptFragment: 'film noir, high contrast black and white, hard shadows, venetian blinds, cigarette haze',
    example: 'a detective under a street lamp',
  },
];
