import type { Capabilities, Model } from '../../domain/model';

const readOn = '2026-11-21';
const source = 'github.com/runwayml/skills c5674fd2, one credit is 0.01 USD';
const seed = { minimum: 0, maximum: 4_294_967_295, step: 1 };

const everyWholeSecond = [5, 2, 3, 4, 6, 7, 8, 9, 10] as const;
/** 1104:832 and 832:1104 are called by the usual shape next to them, 1584:672 by the cinema's. */
const imageShapes = ['16:9', '9:16', '4:3', '3:4', '1:1', '21:9'] as const;

type Row = Pick<Model, 'providerModel' | 'family' | 'price' | 'qualityTier' | 'typicalSeconds'> & {
  capabilities: Omit<Capabilities, 'promptCharacters'>;
};

const video = ({ capabilities, ...row }: Row): Model => ({
  ...row,
  id: `runway/${row.providerModel}`,
  provider: 'runway',
  medium: 'video',
  capabilities: { ...capabilities, promptCharacters: 1_000 },
  lifecycle: {},
  maximumSeconds: 1_800,
  automatic: true,
});

export const models: readonly Model[] = [
  video({
    providerModel: 'gen4.5',
    family: 'gen4.5',
    capabilities: {
      from: ['text', 'image'],
      durationsSeconds: everyWholeSecond,
      aspectRatios: imageShapes,
      aspectRatiosFromText: ['16:9', '9:16'],
      resolutions: ['720p'],
      audio: 'never',
      seed,
    },
    price: { source, readOn, per: 'second', rates: [{ usd: '0.12' }] },
    qualityTier: 3,
    typicalSeconds: 90,
  }),
  video({
    providerModel: 'gen4_turbo',
    family: 'gen4_turbo',
    capabilities: {
      from: ['image'],
      durationsSeconds: everyWholeSecond,
      aspectRatios: imageShapes,
      resolutions: ['720p'],
      audio: 'never',
      seed,
    },
    price: { source, readOn, per: 'second', rates: [{ usd: '0.05' }] },
    qualityTier: 2,
    typicalSeconds: 45,
  }),
  video({
    providerModel: 'veo3.1_fast',
    family: 'veo-3.1-fast',
    capabilities: {
      from: ['text', 'image'],
      durationsSeconds: [8, 6, 4],
      aspectRatios: ['16:9', '9:16'],
      resolutions: ['720p', '1080p'],
      audio: 'optional',
      seed,
      negativePrompt: true,
    },
    price: { source, readOn, per: 'second', rates: [{ when: { audio: false }, usd: '0.10' }, { usd: '0.15' }] },
    qualityTier: 2,
    typicalSeconds: 60,
  }),
];
