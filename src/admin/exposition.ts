// Writes metrics in OpenMetrics text and in Prometheus' older one. Ours, because prom-client's own writer renames
// counters for good once it has written OpenMetrics, lets two scrapes at once mix up their formats, and writes `le`
// values that a strict reader refuses. Knows nothing of what is counted.

import { mediaRanges } from "./accept.js";

export interface Sample {
  /** After the family's name: `_bucket`, `_sum`, `_count`; empty for gauges and counters. */
  readonly suffix: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** All samples of one name. A counter's name ends in `_total`. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

/** Base units that a name may end in. */
const units = ["seconds", "bytes"];

/** Prometheus' older text unless the `Accept` header names OpenMetrics, and likes nothing better (RFC 9110, 12.5.1). */
export function exposed(families: readonly Family[], accept = ""): Exposition {
  const ranges = mediaRanges(accept);
  const quality = (types: readonly string[], version: string) =>
    Math.max(0, ...ranges.filter((each) => types.includes(each.type) && each.suits(version)).map(({ q }) => q));
  const open = quality(["application/openmetrics-text"], "1.0.0");
  const isOpen = open > 0 && open >= quality(["text/plain"], "0.0.4");
  if (!isOpen) return { contentType: prometheusType, text: families.map(prometheusText).join("") };
  return { contentType: openMetricsType, text: `${families.map(openMetricsText).join("")}# EOF\n` };
}

function openMetricsText(family: Family): string {
  const name = family.type === "counter" ? family.name.replace(/_total$/, "") : family.name;
  const unit = units.find((each) => name.endsWith(`_${each}`));
  const head = [`# TYPE ${name} ${family.type}`, ...(unit ? [`# UNIT ${name} ${unit}`] : [])];
  return lines([...head, `# HELP ${name} ${escaped(family.help)}`], family);
}

function prometheusText(family: Family): string {
  return lines([`# HELP ${family.name} ${escaped(family.help)}`, `# TYPE ${family.name} ${family.type}`], family);
}

function lines(head: readonly string[], { name, samples }: Family): string {
  const body = samples.map(({ suffix, labels, value }) => `${name}${suffix}${labelText(labels)} ${numberText(value)}`);
  return `${[...head, ...body].join("\n")}\n`;
}

function labelText(labels: Sample["labels"]): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(labelValue(name, value))}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function labelValue(name: string, value: string | number): string {
  if (typeof value === "string") return value;
  // OpenMetrics wants a bucket's bound as a float in its shortest form: 1.0, not 1.
  return name === "le" && Number.isInteger(value) ? `${value}.0` : numberText(value);
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
