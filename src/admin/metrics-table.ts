// The table of docs/metrics.md, made from the metrics themselves so that the two cannot disagree.
import { Registry } from "prom-client";
import type { ActionType, Region } from "../job/job.js";
import { systemClock } from "../std/clock.js";
import { countersIn, histogramsIn, Metrics } from "./metrics.js";
import type { MetricsView } from "./snapshot-metrics.js";
import { StatusBoard } from "./status.js";

/** Markdown: one row for each metric, in the order of `/metrics`. */
export async function metricsTable(): Promise<string> {
  const text = await expositionOfSample();
  const labels = new Map([...labelsOfCounted(), ...labelsIn(text)]);
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = "", help = ""]) => {
    const names = [...(labels.get(name) ?? [])].map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${types.get(name)} | ${names || "–"} | ${help.replaceAll("|", "\\|")} |`;
  });
  return `${["| metric | type | labels | counts |", "|---|---|---|---|", ...rows].join("\n")}\n`;
}

/** Counters and histograms say their labels; they have no sample before something happens. */
function labelsOfCounted(): readonly (readonly [string, readonly string[]])[] {
  const registry = new Registry();
  const all: readonly object[] = [...Object.values(countersIn(registry)), ...Object.values(histogramsIn(registry))];
  return all.map((metric) => {
    const { name, labelNames } = metric as { readonly name: string; readonly labelNames: readonly string[] };
    return [name, labelNames];
  });
}

/** Gauges have a sample in every scrape. */
function labelsIn(text: string): readonly (readonly [string, readonly string[]])[] {
  const samples = text.matchAll(/^(partnerd_\w+)\{(.*)\} \S+$/gm);
  return [...samples].map(([, name = "", labels = ""]) => [
    name,
    [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label),
  ]);
}

/** What a daemon with one action type and one handler shows. */
async function expositionOfSample(): Promise<string> {
  const actionType: ActionType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" };
  const pollers = [{ region: "us-east-1" as Region, actionType }];
  const board = new StatusBoard({ startedAtMs: 0, pollers });
  const group = { group: "Custom/Build/Acme-Build/1", busy: 0, max: 1, working: 0, owed: 0, waiting: 0, pollers: [] };
  const slots = { busy: 0, max: 1, working: 0, owed: 0, groups: [group] };
  const handlers = [{ handler: "main", state: "closed", pollers: [] }] as const;
  const look = (): MetricsView => ({
    status: { ...board.snapshot(0), slots, denials: [], handlers, inFlight: 0, unattended: 0 },
    ledger: { writable: true },
  });
  const metrics = new Metrics({ clock: systemClock, version: "", store: "sqlite", pollers, look });
  try {
    return (await metrics.exposition(undefined)).text;
  } finally {
    metrics.close();
  }
}
