// Durations and sizes as people write them: `500ms`, `10s`, `30m`, `2h`; `512B`, `10MiB`, `2GiB`.
// A number without its unit is never guessed at: `10s` must not become 10, nor 10 become ten of something.
// Pure: knows nothing of keys, files or the schema.

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

type DurationUnit = keyof typeof durationUnits;
type SizeUnit = keyof typeof sizeUnits;

/** The ms of a duration such as `10s`; `undefined` when the text is none, or more than a number holds exactly. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,16})(ms|s|m|h)$/.exec(text);
  return match ? safe(Number(match[1]) * durationUnits[match[2] as DurationUnit]) : undefined;
}

/** A whole number of ms in its largest unit: what parseDuration reads back as the same number. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    if (ms > 0 && ms % durationUnits[unit] === 0) return `${ms / durationUnits[unit]}${unit}`;
  }
  return ms === 0 ? "0s" : `${ms}ms`;
}

/** The bytes of a size such as `10MiB`; `undefined` when the text is none, or more than a number holds exactly. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,16})(B|KiB|MiB|GiB|TiB)$/.exec(text);
  return match ? safe(Number(match[1]) * sizeUnits[match[2] as SizeUnit]) : undefined;
}

/** A whole number of bytes in its largest unit: what parseSize reads back as the same number. */
export function formatSize(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"] as const) {
    if (bytes > 0 && bytes % sizeUnits[unit] === 0) return `${bytes / sizeUnits[unit]}${unit}`;
  }
  return `${bytes}B`;
}

/** The duration that somebody most likely meant, written as we want it; `undefined` when nobody can say. */
export function likelyDuration(written: string): string | undefined {
  const text = written.trim().toLowerCase();
  if (/^\d{1,9}$/.test(text)) return `${Number(text)}s`;
  const [, hours, minutes, seconds] = /^(\d{1,4}):(\d\d):(\d\d)$/.exec(text) ?? [];
  if (seconds !== undefined) return likelyDuration(`${hours}h${minutes}m${seconds}s`);
  // `1h30m`, `1 h and 30 min`, and PT1H30M as ISO 8601 has it.
  const parts = text.replace(/^pt?(?=\d)/, "").replaceAll(/\band\b|,/g, " ");
  if (!/^\s*(?:\d{1,9}(?:\.\d{1,6})?\s*[a-z]{1,12}\s*)+$/.test(parts)) return undefined;
  let ms = 0;
  for (const [, number, word = ""] of parts.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)) {
    const unitMs = durationWords[word];
    if (unitMs === undefined) return undefined;
    ms += Number(number) * unitMs;
  }
  return Number.isSafeInteger(ms) ? formatDuration(ms) : undefined;
}

/** The size that somebody most likely meant, written as we want it; `undefined` when nobody can say. */
export function likelySize(written: string): string | undefined {
  const text = written.trim().replaceAll(/(?<=\d)[,_](?=\d{3})/g, "");
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b|bytes?)?$/i.exec(text);
  if (!match) return undefined;
  const prefix = (match[2] ?? "").toUpperCase();
  if (prefix === "" && /b/i.test(text))
    return Number.isInteger(Number(match[1])) ? formatSize(Number(match[1])) : undefined;
  const unit = prefix === "" ? "MiB" : (`${prefix}iB` as SizeUnit);
  if (/^\d+$/.test(match[1] ?? "")) return `${Number(match[1])}${unit}`;
  const bytes = Number(match[1]) * sizeUnits[unit];
  return Number.isSafeInteger(bytes) ? formatSize(bytes) : undefined;
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

const units: Readonly<Record<string, number>> = { ...durationUnits, d: 86_400_000, w: 604_800_000 };
const durationWords: Readonly<Record<string, number | undefined>> = Object.assign(
  Object.create(null),
  Object.fromEntries(
    [
      ["ms", "ms", "msec", "msecs", "millis", "millisecond", "milliseconds"],
      ["s", "s", "sec", "secs", "second", "seconds"],
      ["m", "m", "min", "mins", "minute", "minutes"],
      ["h", "h", "hr", "hrs", "hour", "hours"],
      ["d", "d", "day", "days"],
      ["w", "w", "week", "weeks"],
    ].flatMap(([unit = "", ...words]) => words.map((word) => [word, units[unit]])),
  ),
);
