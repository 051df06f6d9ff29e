export type Log = (line: string) => void;

const firstNoticeMs = 2_000;
const furtherNoticeMs = 10_000;

/** Says what is going on once it takes longer than two seconds, so that nobody takes a build for a hang. */
export const withProgress = async <Result>(log: Log, what: string, work: Promise<Result>): Promise<Result> => {
  const begun = Date.now();
  const say = (): void => {
    log(`${what} … ${Math.round((Date.now() - begun) / 1_000)} s`);
    timer = setTimeout(say, furtherNoticeMs).unref();
  };
  let timer = setTimeout(say, firstNoticeMs).unref();
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
};
