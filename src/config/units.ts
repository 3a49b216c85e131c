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
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)$/.exec(text);
  const unit = match && durationWords[match[2] ?? ""];
  if (!match || !unit) return undefined;
  const ms = Number(match[1]) * durationUnits[unit];
  return Number.isSafeInteger(ms) ? formatDuration(ms) : undefined;
}

/** The size that somebody most likely meant, written as we want it; `undefined` when nobody can say. */
export function likelySize(written: string): string | undefined {
  const match = /^(\d{1,9})\s*([kmgt]?)(?:i?b)?$/i.exec(written.trim());
  if (!match) return undefined;
  const prefix = (match[2] ?? "").toUpperCase();
  return `${Number(match[1])}${prefix === "" ? "MiB" : `${prefix}iB`}`;
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

const durationWords: Readonly<Record<string, DurationUnit | undefined>> = Object.assign(Object.create(null), {
  ms: "ms",
  msec: "ms",
  msecs: "ms",
  millis: "ms",
  milliseconds: "ms",
  s: "s",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  m: "m",
  min: "m",
  mins: "m",
  minute: "m",
  minutes: "m",
  h: "h",
  hr: "h",
  hrs: "h",
  hour: "h",
  hours: "h",
});
