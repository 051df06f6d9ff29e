declare module '*.dependency-cruiser.layers.cjs' {
  const config: { forbidden: { name: string }[] };
  export default config;
}
declare module '*.dependency-cruiser.purity.cjs' {
  const config: { forbidden: { name: string }[] };
  export default config;
}
