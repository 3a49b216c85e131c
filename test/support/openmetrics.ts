// A reader of OpenMetrics 1.0 text that believes nothing: it throws at the first line that breaks a rule of the format.

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ReadSample[];
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  gauge: [""],
  counter: ["_total"],
  histogram: ["_bucket", "_sum", "_count"],
};
const number = /^(?:[+-]?Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** The families by name. Throws with the line that is wrong. */
export function readOpenMetrics(text: string): ReadonlyMap<string, ReadFamily> {
  if (!text.endsWith("\n# EOF\n")) throw new Error("does not end with # EOF and a line feed");
  const families = new Map<string, ReadFamily & { samples: ReadSample[] }>();
  const seen = new Set<string>();
  let now: { name: string; type: string; help: string; samples: ReadSample[] } | undefined;
  for (const line of text.slice(0, -"# EOF\n".length - 1).split("\n")) {
    const fail = (why: string) => new Error(`${why}: ${line}`);
    const meta = /^# (TYPE|UNIT|HELP) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (meta) {
      const [, what, name = "", rest = ""] = meta;
      if (what === "TYPE") {
        if (families.has(name)) throw fail("a family a second time");
        if (!suffixes[rest]) throw fail("a type that nobody knows");
        if (rest === "counter" && name.endsWith("_total")) throw fail("a counter's family keeps no _total");
        now = { name, type: rest, help: "", samples: [] };
        families.set(name, now);
      } else if (now?.name !== name || now.samples.length > 0) throw fail("not with its family");
      else if (what === "UNIT" && !name.endsWith(`_${rest}`)) throw fail("a unit that the name does not end in");
      else if (what === "HELP") now.help = rest;
      continue;
    }
    if (!now) throw fail("a sample without a family");
    const sample = readSample(line, fail);
    const { name, type } = now;
    if (!suffixes[type]?.some((suffix) => sample.name === `${name}${suffix}`)) throw fail("not of its family");
    const identity = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
    if (seen.has(identity)) throw fail("the same sample twice");
    seen.add(identity);
    if (type !== "gauge" && !(sample.value >= 0)) throw fail("a count below zero");
    now.samples.push(sample);
  }
  for (const family of families.values()) if (family.type === "histogram") checkHistogram(family);
  return families;
}

function readSample(line: string, fail: (why: string) => Error): ReadSample {
  const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (!parts) throw fail("no sample");
  const [, name = "", inside, value = ""] = parts;
  if (!number.test(value)) throw fail("no number");
  const labels: Record<string, string> = {};
  let rest = inside ?? "";
  if (inside === "") throw fail("empty braces");
  while (rest !== "") {
    const label = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/.exec(rest);
    if (!label) throw fail("no label");
    const [whole, key = "", text = ""] = label;
    if (Object.hasOwn(labels, key)) throw fail("a label twice");
    labels[key] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: value.endsWith("Inf") ? Number(value.replace("Inf", "Infinity")) : Number(value) };
}

function checkHistogram({ name, samples }: ReadFamily): void {
  const groups = new Map<string, ReadSample[]>();
  for (const sample of samples) {
    const { le: _, ...others } = sample.labels;
    const group = JSON.stringify(Object.entries(others).sort());
    groups.set(group, [...(groups.get(group) ?? []), sample]);
  }
  for (const [group, members] of groups) {
    const fail = (why: string) => new Error(`${why}: ${name} ${group}`);
    const buckets = members.filter((member) => member.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => labels["le"] ?? "");
    if (bounds.at(-1) !== "+Inf") throw fail("no last bucket +Inf");
    for (const bound of bounds.slice(0, -1))
      if (!/^\d+\.\d+$/.test(bound)) throw fail(`${bound} is no canonical float`);
    const values = bounds.map((bound) => (bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound)));
    if (values.some((value, at) => at > 0 && value <= (values[at - 1] ?? 0))) throw fail("bounds do not rise");
    const counts = buckets.map(({ value }) => value);
    if (counts.some((count, at) => at > 0 && count < (counts[at - 1] ?? 0))) throw fail("buckets do not add up");
    const total = members.find((member) => member.name === `${name}_count`)?.value;
    if (total !== counts.at(-1)) throw fail("the count is not that of the last bucket");
    if (!members.some((member) => member.name === `${name}_sum`)) throw fail("no sum");
  }
}
