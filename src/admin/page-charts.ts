// The last hour as small pictures of our own making: what came of jobs each minute, and how long they waited to be picked
// up. Each has axes, tells a minute's numbers under the pointer, and says in words what it shows, for those who do not
// see it.
import type { Results } from "./client-counts.js";
import type { Minute } from "./history.js";
import { type Html, html } from "./html.js";
import { clockText } from "./times.js";

const width = 640;
const height = 170;
/** Room for the numbers at the left, the times below, and half a letter above. */
const left = 50;
const base = height - 26;
const top = 12;

/** Results a minute, one above the other; of one action type, or of all. */
export function throughputChart(hour: readonly Minute[], type: string | undefined, typeName: string): Html {
  const none = { succeeded: 0, continued: 0, failed: 0, dropped: 0 };
  const counts = hour.map((minute) => {
    const { succeeded, continued, failed, dropped } = type === undefined ? minute : (minute.byType.get(type) ?? none);
    return { good: succeeded + continued, failed, dropped };
  });
  const sum = (what: "good" | "failed" | "dropped") => counts.reduce((total, count) => total + count[what], 0);
  const most = Math.max(0, ...counts.map(({ good, failed, dropped }) => good + failed + dropped));
  const dropped = sum("dropped") > 0 ? `, ${sum("dropped")} dropped` : "";
  const words =
    most === 0
      ? "No job ended in the last hour."
      : `${sum("good")} succeeded or continued, ${sum("failed")} failed${dropped} in the last hour; at most ${most} in a minute.`;
  const scale = scaleOf(most);
  const bars = { good: "", failed: "", dropped: "" };
  for (const [at, count] of counts.entries()) {
    let below = 0;
    for (const what of ["good", "failed", "dropped"] as const) {
      bars[what] += bar(at, below, below + count[what], scale);
      below += count[what];
    }
  }
  return figure({
    title: type === undefined ? "Results per minute" : `Results per minute: ${typeName}`,
    words,
    keys: [
      ["good", "succeeded or continued"],
      ["failed", "failed"],
      ...(sum("dropped") > 0 ? [["dropped", "dropped"] as const] : []),
    ],
    bars: Object.entries(bars),
    scale,
    label: (count) => (count >= 1_000 ? `${count / 1_000}k` : String(count)),
    hour,
    titles: counts.map(({ good, failed, dropped: lost }) =>
      good + failed + lost === 0 ? undefined : `${good} succeeded or continued, ${failed} failed, ${lost} dropped`,
    ),
  });
}

/** The middle and the slow end of how long offered jobs waited for their handler. */
export function pickupChart(hour: readonly Minute[]): Html {
  const points = hour.map(({ pickups }) => {
    const sorted = pickups.toSorted((a, b) => a - b);
    return { median: quantile(sorted, 0.5), slow: quantile(sorted, 0.95) };
  });
  const all = hour.flatMap(({ pickups }) => pickups).toSorted((a, b) => a - b);
  const [median, slow] = [quantile(all, 0.5), quantile(all, 0.95)];
  const words =
    median === undefined || slow === undefined
      ? "No job was picked up in the last hour."
      : `Half of the jobs were picked up within ${msText(median)}, 95 % within ${msText(slow)}.`;
  const most = Math.max(0, ...points.map((point) => point.slow ?? 0));
  const scale = scaleOf(most);
  const isInSeconds = most >= 2_000;
  const bars = { middle: "", slow: "" };
  for (const [at, point] of points.entries()) {
    if (point.median === undefined || point.slow === undefined) continue;
    bars.middle += bar(at, 0, point.median, scale);
    bars.slow += bar(at, point.median, point.slow, scale);
  }
  return figure({
    title: "Pickup time",
    unit: isInSeconds ? "s" : "ms",
    words,
    keys: [
      ["middle", "half of the jobs"],
      ["slow", "95 %"],
    ],
    bars: Object.entries(bars),
    scale,
    label: (ms) => String(isInSeconds ? ms / 1_000 : ms),
    hour,
    titles: points.map(({ median: middle, slow: late }) =>
      middle === undefined || late === undefined
        ? undefined
        : `half within ${msText(middle)}, 95 % within ${msText(late)}`,
    ),
  });
}

/** An hour in one line: the height of a row, without axes. */
export function sparkline(minutes: readonly (Results | undefined)[]): Html {
  const lineHeight = 20;
  const totals = minutes.map((each) => (each ? each.succeeded + each.continued + each.failed + each.dropped : 0));
  const most = Math.max(...totals);
  if (most <= 0) return html`<span class="quiet">nothing</span>`;
  let [good, bad] = ["", ""];
  for (const [at, each] of minutes.entries()) {
    if (!each) continue;
    const high = (lineHeight * (each.succeeded + each.continued)) / most;
    const higher = (lineHeight * (totals[at] ?? 0)) / most;
    good += rect(at * 3, lineHeight - high, 2, high);
    bad += rect(at * 3, lineHeight - higher, 2, higher - high);
  }
  return html`<svg class="spark" viewBox="0 0 180 ${lineHeight}" width="180" height="${lineHeight}" role="img" aria-label="at most ${most} in a minute"><title>at most ${most} in a minute</title><path class="spark-base" d="M0 19.5h180"/><path class="good-fill" d="${good}"/><path class="failed-fill" d="${bad}"/></svg>`;
}

interface FigureOptions {
  readonly title: string;
  /** Of the numbers at the left; absent: they count. */
  readonly unit?: string;
  readonly words: string;
  readonly keys: readonly (readonly [string, string])[];
  /** Paths by their key. */
  readonly bars: readonly (readonly [string, string])[];
  readonly scale: Scale;
  readonly label: (value: number) => string;
  readonly hour: readonly Minute[];
  /** What a minute tells under the pointer. */
  readonly titles: readonly (string | undefined)[];
}

function figure({ title, unit, words, keys, bars, scale, label, hour, titles }: FigureOptions): Html {
  const legend = keys.map(([key, text]) => html`<span class="key ${key}-fill"></span>${text} `);
  const lines = scale.ticks.map((value) => {
    const y = round(yOf(value, scale));
    const name = value === 0 ? "axis" : "grid";
    return html`<line class="${name}" x1="${left}" x2="${width}" y1="${y}" y2="${y}"/><text x="${left - 6}" y="${y + 4}" text-anchor="end">${label(value)}</text>`;
  });
  const times = hour.flatMap(({ startMs }, at) => {
    if (at % 15 !== 0) return [];
    return html`<line class="axis" x1="${xOf(at)}" x2="${xOf(at)}" y1="${base}" y2="${base + 4}"/><text x="${xOf(at)}" y="${base + 18}" text-anchor="${at === 0 ? "start" : "middle"}">${clockText(startMs).slice(0, 5)}</text>`;
  });
  const hits = titles.map((text, at) => {
    const minute = hour[at];
    if (text === undefined || !minute) return undefined;
    return html`<rect x="${xOf(at)}" y="${top}" width="${slot}" height="${base - top}"><title>${clockText(minute.startMs)}: ${text}</title></rect>`;
  });
  return html`<figure><figcaption><span><span class="strong">${title}</span>${unit === undefined ? undefined : ` in ${unit}`}</span> <span class="legend">${legend}</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}: ${words}">
${lines}${times}<text x="${width}" y="${base + 18}" text-anchor="end">now, UTC</text>
<g class="hits">${hits}</g>${bars.map(([key, path]) => html`<path class="${key}-fill" d="${path}"/>`)}
</svg><p class="quiet">${words}</p></figure>`;
}

/** The room of one minute. */
const slot = round((width - left) / 60);

function xOf(at: number): number {
  return round(left + at * ((width - left) / 60));
}

interface Scale {
  readonly most: number;
  /** From 0 to the greatest value, all of them told at the left. */
  readonly ticks: readonly number[];
}

/** Ends at a number that can be read, and has two to five lines. */
function scaleOf(most: number): Scale {
  if (most <= 0) return { most: 1, ticks: [0] };
  const least = most / 4;
  const power = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  const step = ([1, 2, 5].find((each) => each >= least / power) ?? 10) * power;
  const count = Math.ceil(most / step);
  return { most: count * step, ticks: Array.from({ length: count + 1 }, (_, at) => at * step) };
}

function yOf(value: number, { most }: Scale): number {
  return base - ((base - top) * value) / most;
}

function bar(at: number, from: number, to: number, scale: Scale): string {
  if (to <= from) return "";
  const [low, high] = [yOf(from, scale), yOf(to, scale)];
  // What is there can be seen, however little it is.
  return rect(xOf(at) + 1, Math.min(high, low - 1), slot - 2, Math.max(1, low - high));
}

function rect(x: number, y: number, wide: number, high: number): string {
  return high <= 0 ? "" : `M${round(x)} ${round(y)}h${round(wide)}v${round(high)}h${round(-wide)}z`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function msText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 && ms % 1_000 !== 0 ? 1 : 0)} s`;
}
