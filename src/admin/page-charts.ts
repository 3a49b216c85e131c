// The last hour as two small pictures of our own making: what came of jobs each minute, and how long they waited to be
// picked up. Each says in words what it shows, for those who do not see it.
import type { Minute } from "./history.js";
import { type Html, html } from "./html.js";
import { clockText } from "./times.js";

const width = 600;
const height = 120;
/** Room for the axis below and the greatest value above. */
const base = height - 28;
const top = 24;

/** Results a minute, failed ones on top. */
export function throughputChart(hour: readonly Minute[]): Html {
  const good = hour.reduce((sum, minute) => sum + minute.succeeded + minute.continued, 0);
  const bad = hour.reduce((sum, minute) => sum + minute.failed, 0);
  const most = Math.max(0, ...hour.map((minute) => minute.succeeded + minute.continued + minute.failed));
  const words = `${good} succeeded or continued, ${bad} failed in the last hour; at most ${most} in a minute.`;
  const step = width / hour.length;
  const scale = (count: number) => ((base - top) * count) / Math.max(1, most);
  const bars = hour.map((minute, at) => {
    const x = at * step + 1;
    const goodHeight = scale(minute.succeeded + minute.continued);
    const badHeight = scale(minute.failed);
    return html`${goodHeight > 0 ? bar("goodbar", x, base - goodHeight, step - 2, goodHeight) : undefined}${
      badHeight > 0 ? bar("badbar", x, base - goodHeight - badHeight, step - 2, badHeight) : undefined
    }`;
  });
  const legend = html`<span class="key goodkey"></span>succeeded or continued <span class="key badkey"></span>failed`;
  return figure("Results per minute", words, legend, most === 0 ? undefined : String(most), bars, hour);
}

/** The middle and the slow end of how long offered jobs waited for their handler. */
export function pickupChart(hour: readonly Minute[]): Html {
  const points = hour.map(({ pickups }) => {
    const sorted = pickups.toSorted((a, b) => a - b);
    return { median: quantile(sorted, 0.5), slow: quantile(sorted, 0.95) };
  });
  const most = Math.max(0, ...points.map(({ slow }) => slow ?? 0));
  const all = hour.flatMap(({ pickups }) => pickups).toSorted((a, b) => a - b);
  const [median, slow] = [quantile(all, 0.5), quantile(all, 0.95)];
  const words =
    median === undefined || slow === undefined
      ? "No job was picked up in the last hour."
      : `Half of the jobs were picked up within ${msText(median)}, 95 % within ${msText(slow)}.`;
  const step = width / hour.length;
  const y = (ms: number) => base - ((base - top) * ms) / Math.max(1, most);
  const dots = points.map(({ median: middle, slow: late }, at) => {
    if (middle === undefined || late === undefined) return undefined;
    const x = at * step + 1;
    const reach = Math.max(2, y(middle) - y(late));
    return html`${bar("slowbar", x, y(late), step - 2, reach)}${bar("midbar", x, y(middle) - 1, step - 2, 3)}`;
  });
  const legend = html`<span class="key midkey"></span>half of the jobs <span class="key slowkey"></span>up to 95 %`;
  return figure("Pickup time", words, legend, most === 0 ? undefined : msText(most), dots, hour);
}

function figure(
  title: string,
  words: string,
  legend: Html,
  most: string | undefined,
  marks: readonly (Html | undefined)[],
  hour: readonly Minute[],
): Html {
  const first = hour[0]?.startMs;
  const middle = hour[Math.floor(hour.length / 2)]?.startMs;
  return html`<figure><figcaption><span class="strong">${title}</span> <span class="legend">${legend}</span></figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}: ${words}">
<line class="axis" x1="0" x2="${width}" y1="${base}" y2="${base}"/>
${most === undefined ? undefined : html`<line class="grid" x1="0" x2="${width}" y1="${top}" y2="${top}"/><text x="2" y="${top - 4}">${most}</text>`}
${marks}
<text x="0" y="${height - 6}">${first === undefined ? "" : clockText(first)}</text>
<text x="${width / 2}" y="${height - 6}" text-anchor="middle">${middle === undefined ? "" : clockText(middle)}</text>
<text x="${width}" y="${height - 6}" text-anchor="end">now</text>
</svg><p class="quiet">${words}</p></figure>`;
}

function bar(name: string, x: number, y: number, barWidth: number, barHeight: number): Html {
  const numbers = [x, y, barWidth, barHeight].map((value) => Math.round(value * 10) / 10);
  return html`<rect class="${name}" x="${numbers[0]}" y="${numbers[1]}" width="${numbers[2]}" height="${numbers[3]}"/>`;
}

function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function msText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
