const mix = (hash: number, shift: number, factor: number): number => Math.imul(hash ^ (hash >>> shift), factor) >>> 0;

/** FNV-1a over the text, mixed as MurmurHash3 ends: texts that differ in one place differ everywhere. 32 bits. */
export const hashOf = (text: string): number => {
  let hash = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619) >>> 0;
  hash = mix(mix(hash, 16, 2_246_822_507), 13, 3_266_489_909);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** Above 0 and below 1, always the same for the same text. */
export const drawFrom = (text: string): number => (hashOf(text) + 1) / 4_294_967_297;
