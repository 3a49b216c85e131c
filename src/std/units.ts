// Durations and sizes as people write them: `500ms`, `10s`, `30m`, `2h`; `512B`, `10MiB`, `2GiB`.
// A number without its unit is never guessed at: `10s` must not become 10, nor 10 become ten of something.
// Pure: knows nothing of keys, files or the schema.

/** From the largest to the smallest. */
type Units = Readonly<Record<string, number>>;
const durationUnits: Units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
const sizeUnits: Units = { TiB: 1024 ** 4, GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024, B: 1 };

/** The ms of a duration such as `10s`; `undefined` when the text is none, or more than a number holds exactly. */
export function parseDuration(text: string): number | undefined {
  return parse(text, /^(\d{1,16})(ms|s|m|h)$/, durationUnits);
}

/** A whole number of ms in its largest unit: what parseDuration reads back as the same number. */
export function formatDuration(ms: number): string {
  return ms === 0 ? "0s" : format(ms, durationUnits);
}

/** The bytes of a size such as `10MiB`; `undefined` when the text is none, or more than a number holds exactly. */
export function parseSize(text: string): number | undefined {
  return parse(text, /^(\d{1,16})(B|KiB|MiB|GiB|TiB)$/, sizeUnits);
}

/** A whole number of bytes in its largest unit: what parseSize reads back as the same number. */
export function formatSize(bytes: number): string {
  return bytes === 0 ? "0B" : format(bytes, sizeUnits);
}

/** The duration that was most likely meant, in our form; `undefined` if there is no telling. */
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
    const unitMs = durationWords.find(([, words]) => words.test(word))?.[0];
    if (unitMs === undefined) return undefined;
    ms += Number(number) * unitMs;
  }
  return Number.isSafeInteger(ms) ? formatDuration(ms) : undefined;
}

/** The size that was most likely meant, in our form; `undefined` if there is no telling. */
export function likelySize(written: string): string | undefined {
  const text = written.trim().replaceAll(/(?<=\d)[,_](?=\d{3})/g, "");
  const [whole, amount = "", prefix = ""] = /^(\d{1,9}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b|bytes?)?$/i.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const isBytes = prefix === "" && /b/i.test(text);
  const unit = isBytes ? "B" : `${prefix === "" ? "M" : prefix.toUpperCase()}iB`;
  if (!isBytes && /^\d+$/.test(amount)) return `${Number(amount)}${unit}`;
  const bytes = Number(amount) * (sizeUnits[unit] ?? 1);
  return Number.isSafeInteger(bytes) ? formatSize(bytes) : undefined;
}

const durationWords = [
  [1, /^(ms|msecs?|millis|milliseconds?)$/],
  [1_000, /^s(ecs?|econds?)?$/],
  [60_000, /^m(ins?|inutes?)?$/],
  [3_600_000, /^h(rs?|ours?)?$/],
  [86_400_000, /^d(ays?)?$/],
  [604_800_000, /^w(eeks?)?$/],
] as const;

function parse(text: string, pattern: RegExp, units: Units): number | undefined {
  const [, amount, unit = ""] = pattern.exec(text) ?? [];
  const value = Number(amount) * (units[unit] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

function format(value: number, units: Units): string {
  const [unit, factor] = Object.entries(units).find(([, each]) => value % each === 0) ?? ["", 1];
  return `${value / factor}${unit}`;
}
