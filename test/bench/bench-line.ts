// What each part of `npm run bench` hands back: figures by name, for the table and for the JSON file, and whether they are
// as good as was wanted.
import { median, spread } from "./figures.ts";

/** One line of the table. */
export interface BenchLine {
  readonly name: string;
  /** One for each round. */
  readonly values: readonly number[];
  /** `MB`, `ms`, `%`, `×`, `KB`. */
  readonly unit: string;
  /** What was wanted, in the same unit: at most so much. */
  readonly most?: number;
  /** What was wanted, in the same unit: at least so much. */
  readonly least?: number;
}

/** What every part may be told. */
export interface BenchOptions {
  /** Interleaved rounds, as far as there is time for them; the more, the surer. */
  readonly rounds: number;
  /** Shorter and smaller, to see that it works: its figures mean nothing. */
  readonly isSmoke: boolean;
  /** How long the part may take: no further round begins that would not end by then. */
  readonly seconds: number;
  /** Told of lines as they are found, they count even if the part is late or fails after them. */
  readonly onFound: (lines: readonly BenchLine[]) => void;
}

/** `undefined`: nothing was wanted. The median counts. */
export function verdictOf({ values, most, least }: BenchLine): "reached" | "missed" | undefined {
  if (most === undefined && least === undefined) return undefined;
  const middle = median(values);
  return middle <= (most ?? Number.POSITIVE_INFINITY) && middle >= (least ?? Number.NEGATIVE_INFINITY)
    ? "reached"
    : "missed";
}

/** As it is printed: the median, the lowest and the highest, what was wanted, and whether that was reached. */
export function lineText(line: BenchLine): string {
  const { name, values, unit, most, least } = line;
  const digits = unit === "×" ? 2 : Math.abs(median(values)) >= 100 ? 0 : Math.abs(median(values)) >= 10 ? 1 : 2;
  const [middle = "", range = ""] =
    values.length === 1 ? [(values[0] ?? Number.NaN).toFixed(digits)] : split(spread(values, digits));
  const bounds = [
    ...(least === undefined ? [] : [`at least ${least}`]),
    ...(most === undefined ? [] : [`at most ${most}`]),
  ].join(" and ");
  const verdict = verdictOf(line);
  return `${name}: ${middle} ${unit}${range}${verdict ? `; wanted ${bounds}: ${verdict}` : ""}`;
}

/** The median, and the rest with a space before it: the unit stands between them. */
function split(text: string): readonly [string, string] {
  const at = text.indexOf(" ");
  return [text.slice(0, at), text.slice(at)];
}

/** One figure through the other, round by round: neighbours in time saw the same machine. */
export function ratio(
  line: Omit<BenchLine, "values" | "unit">,
  above: readonly number[],
  below: readonly number[],
): BenchLine {
  return { ...line, values: above.map((value, round) => value / (below[round] ?? Number.NaN)), unit: "×" };
}
