// Promise: the alerts and the dashboard to copy ask only for names, labels and values that /metrics really serves.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { logEvents } from "../../src/std/log-events.js";
import { type ReadFamily, readOpenMetrics } from "../support/openmetrics.js";
import { freePort, startRig, thirdParty } from "../support/rig.js";

const text = (path: string) => readFileSync(new URL(`../../config/${path}`, import.meta.url), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const rules = (parse(text("prometheus/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(text("grafana/partnerd.json")) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
};
const targets = dashboard.panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

/** What Prometheus adds by itself. */
const added = ["instance", "job", "le"];
let served: ReadonlyMap<string, ReadFamily>;

/** Every metric's labels, with the values that were served. */
function labelsOf(sampleName: string): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const family = [...served.values()].find(({ name, type }) =>
    (type === "histogram" ? ["_bucket", "_sum", "_count"] : type === "counter" ? ["_total"] : [""]).some(
      (suffix) => sampleName === `${name}${suffix}`,
    ),
  );
  if (!family) return undefined;
  const labels = new Map<string, Set<string>>();
  for (const sample of family.samples) {
    for (const [label, value] of Object.entries(sample.labels)) {
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
    }
  }
  return labels;
}

/** What is wrong with an expression and the text that goes with it. */
function mistakesIn(expr: string, legend: string): readonly string[] {
  const mistakes: string[] = [];
  const known = new Set(added);
  for (const [, name = "", matchers = ""] of expr.matchAll(/\b(partnerd_\w+)(?:\{([^}]*)\})?/g)) {
    const labels = labelsOf(name);
    if (!labels) {
      mistakes.push(`${name} is not served`);
      continue;
    }
    for (const label of labels.keys()) known.add(label);
    for (const [, label = "", operator, value = ""] of matchers.matchAll(/(\w+)(=~|!=|!~|=)"([^"]*)"/g)) {
      if (added.includes(label)) continue;
      if (!labels.has(label)) mistakes.push(`${name} has no label ${label}`);
      else if (operator === "=" && !labels.get(label)?.has(value)) mistakes.push(`${name} has no ${label} ${value}`);
    }
  }
  const grouped = [...expr.matchAll(/\b(?:by|without) \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(/, */));
  const written = [...legend.matchAll(/\{\{ *(?:\$labels\.)?(\w+) *\}\}/g)].map(([, name = ""]) => name);
  for (const label of [...grouped, ...written])
    if (!known.has(label)) mistakes.push(`nothing here has a label ${label}`);
  if (!/partnerd_/.test(expr) && !expr.startsWith("up{")) mistakes.push("it asks for nothing of partnerd's");
  let open = 0;
  for (const character of expr.replace(/"[^"]*"/g, ""))
    open += "({[".includes(character) ? 1 : ")}]".includes(character) ? -1 : 0;
  if (open !== 0) mistakes.push("a bracket is missing");
  return mistakes;
}

beforeAll(async () => {
  await using rig = await startRig({
    actionTypes: [thirdParty],
    config: { admin: { host: "127.0.0.1", port: await freePort() } },
    inFolder: (folder) => ({ ledger: { store: "sqlite", path: join(folder, "partnerd.db") } }),
    handle: (job) => (job.configuration["fail"] ? { kind: "failed", message: "no" } : { kind: "succeeded" }),
  });
  rig.emulator.fault({ kind: "throttle", operations: ["AcknowledgeThirdPartyJob"], times: 1 });
  rig.emulator.addJobs({ actionType: thirdParty, count: 1 });
  rig.emulator.addJobs({ actionType: thirdParty, count: 1, configuration: { fail: "yes" } });
  await rig.event("job-reported", () => rig.count("job-reported") === 2);
  const headers = { accept: "application/openmetrics-text" };
  served = readOpenMetrics(await (await fetch(`${rig.daemon.adminUrl}/metrics`, { headers })).text());
});

describe("the alerts", () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))("%s asks for what is served", (_, rule) => {
    expect(mistakesIn(rule.expr, Object.values(rule.annotations).join(" "))).toEqual([]);
  });

  it("have each a name, a severity, a summary, and what to do", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations, for: held } of rules) {
      expect(alert).toMatch(/^Partnerd[A-Z]\w+$/);
      expect(["page", "ticket"]).toContain(labels["severity"]);
      expect(Object.keys(annotations)).toEqual(["summary", "action"]);
      expect(held ?? "1m").toMatch(/^\d+m$/);
    }
  });

  it("name log lines by their events", () => {
    const named = rules.flatMap(({ annotations }) => [
      ...String(annotations["action"]).matchAll(/\bevents? ([a-z]+-[a-z-]+)(?: and ([a-z]+-[a-z-]+))?/g),
    ]);
    const events = named.flatMap(([, one, other]) => [one, other]).filter((event) => event !== undefined);
    expect(events.length).toBeGreaterThan(10);
    expect(events.filter((event) => !Object.hasOwn(logEvents, event))).toEqual([]);
  });
});

describe("the dashboard", () => {
  it.each(targets.map((target) => [target.title, target] as const))("%s asks for what is served", (_, target) => {
    expect(mistakesIn(target.expr, target.legendFormat)).toEqual([]);
    expect(target.expr).toContain('instance=~"$instance"');
  });

  it("has panels that do not lie on each other, each with its own number", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`)).toBe(false);
          expect(x).toBeLessThan(24);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });

  it("finds its instances by a metric that is served", () => {
    expect(JSON.stringify(dashboard.templating.list)).toContain("label_values(partnerd_build_info, instance)");
    expect(labelsOf("partnerd_build_info")).toBeDefined();
  });
});

it("the check itself finds wrong names, labels, values and brackets", () => {
  for (const [expr, legend] of [
    ["partnerd_nothing", ""],
    ["partnerd_polls", ""],
    ['partnerd_polls_total{colour="red"}', ""],
    ['partnerd_polls_total{end="nonsense"}', ""],
    ["sum by (colour) (partnerd_polls_total)", ""],
    ["partnerd_polls_total", "{{colour}}"],
    ["sum(partnerd_polls_total", ""],
    ["vector(0)", ""],
  ] as const) {
    expect(mistakesIn(expr, legend)).toHaveLength(1);
  }
});
