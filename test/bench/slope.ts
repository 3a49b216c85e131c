// The slope of a series of measurements over time, with what is needed to judge it: least squares, and a standard error
// that allows for samples that resemble the one before. It knows nothing of memory.

export interface Slope {
  /** In units of the values. */
  readonly perHour: number;
  /** Half the width of the 95 % interval around `perHour`. */
  readonly margin: number;
  readonly error: number;
  /** Standard deviation around the line, in units of the values. */
  readonly noise: number;
  /** How much a sample's distance from the line resembles that of the one before: 0 not at all, 1 wholly. */
  readonly resemblance: number;
  readonly mean: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** Normal quantile of 95 %; the series are long enough (hundreds) for it. */
const quantile = 1.96;

/** The line through the values, all of them; `atMs` and `values` are equally long. */
export function slopeOf(atMs: ArrayLike<number>, values: ArrayLike<number>): Slope {
  const hours = Array.from(atMs, (at) => at / 3_600_000);
  const ys = Array.from(values);
  const count = ys.length;
  const [meanX, mean] = [meanOf(hours), meanOf(ys)];
  const spread = sumOf(hours.map((x) => (x - meanX) ** 2));
  const perHour = sumOf(hours.map((x, at) => (x - meanX) * ((ys[at] ?? 0) - mean))) / spread;
  const rests = hours.map((x, at) => (ys[at] ?? 0) - mean - perHour * (x - meanX));
  const squares = sumOf(rests.map((rest) => rest ** 2));
  const products = sumOf(rests.slice(1).map((rest, at) => rest * (rests[at] ?? 0)));
  const resemblance = squares === 0 ? 0 : Math.min(0.99, Math.max(0, products / squares));
  const variance = squares / Math.max(1, count - 2);
  // Samples that resemble each other tell less: as many as there would be of independent ones count.
  const error = Math.sqrt((variance / spread) * ((1 + resemblance) / (1 - resemblance)));
  return {
    perHour,
    error,
    margin: quantile * error,
    noise: Math.sqrt(variance),
    resemblance,
    mean,
    first: ys[0] ?? Number.NaN,
    last: ys.at(-1) ?? Number.NaN,
    count,
  };
}

function meanOf(list: readonly number[]): number {
  return sumOf(list) / list.length;
}

function sumOf(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0);
}
