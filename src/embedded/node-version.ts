/**
 * Imported first by the mains, for its effect: an old Node must be refused before an import that it cannot even parse.
 * The ranges are those of `engines` in package.json (a test compares them); Node does not enforce them by itself.
 */
export const supportedNodeVersions = '^20.19 || ^22.12 || >=24';

export const isSupportedNode = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
};

if (!isSupportedNode(process.versions.node)) {
  process.stderr.write(
    `sureshot: Node ${process.versions.node} is not supported, it needs ${supportedNodeVersions}: install one from https://nodejs.org\n`,
  );
  process.exit(1);
}
