// The limits of `artifacts.*` that tests seldom mean, by the defaults of the configuration.
export const otherLimits = {
  maxRatio: 200,
  maxRatioFromBytes: 100 * 2 ** 20,
  maxLinks: 10_000,
  badLinks: "refuse",
} as const;

/** Artifacts below this folder, with more room than any test needs. */
export function artifactsIn(workDir: string) {
  return {
    workDir,
    maxArchiveBytes: 1e9,
    maxExtractedBytes: 1e9,
    maxEntries: 1e5,
    ...otherLimits,
    minFreeBytes: 0,
    requestTimeoutMs: 5_000,
  };
}
