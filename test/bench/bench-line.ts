// What each part of `npm run bench` hands back: figures by name, for the table and for the JSON file. Judges nothing.
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
  /** Interleaved rounds; the more, the surer. */
  readonly rounds: number;
  /** Shorter and smaller, to see that it works: its figures mean nothing. */
  readonly isSmoke: boolean;
}

/** As it is printed: the median, the lowest and the highest, and what was wanted. */
export function lineText({ name, values, unit, most, least }: BenchLine): string {
  const digits = unit === "×" ? 2 : Math.abs(median(values)) >= 100 ? 0 : Math.abs(median(values)) >= 10 ? 1 : 2;
  const [middle = "", range = ""] =
    values.length === 1 ? [(values[0] ?? Number.NaN).toFixed(digits)] : split(spread(values, digits));
  const wanted =
    most !== undefined ? `, wanted: at most ${most}` : least !== undefined ? `, wanted: at least ${least}` : "";
  return `${name}: ${middle} ${unit}${range}${wanted}`;
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
