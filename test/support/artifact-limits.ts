// The limits of `artifacts.*` that tests seldom mean, by the defaults of the configuration.
export const otherLimits = {
  maxRatio: 200,
  maxRatioFromBytes: 100 * 2 ** 20,
  maxLinks: 10_000,
  badLinks: "refuse",
} as const;
