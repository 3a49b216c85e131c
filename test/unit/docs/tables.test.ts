// Promise: what docs/ says in tables about settings, metrics, exit codes and commands is what the program does.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { metricsTable } from "../../../src/admin/metrics-table.js";
import { runCli } from "../../../src/cli/cli.js";
import { exitCodes } from "../../../src/cli/exit-codes.js";
import { configurationTable } from "../../../src/config/settings-table.js";
import { type LogEvent, logEvents } from "../../../src/std/log-events.js";

const page = (name: string) => readFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), "utf8");
/** From a heading or a line to the next heading. */
const part = (text: string, from: string) => text.slice(text.indexOf(from)).split(/\n#+ /, 1)[0] ?? "";

it("configuration.md holds the table of the schema, to the letter (`npm run docs` writes it)", () => {
  expect(page("configuration")).toContain(configurationTable());
});

it("metrics.md holds the table of the metrics, to the letter (`npm run docs` writes it)", async () => {
  const table = await metricsTable();
  expect(page("metrics")).toContain(table);
  // A gauge without a sample and a counter that never counted are in it, each with its labels.
  expect(table).toContain("| `partnerd_handler_breaker_state` | gauge | `handler`, `state` |");
  expect(table).toContain("| `partnerd_api_calls_total` | counter | `region`, `account`, `operation`, `code` |");
  expect(table).toContain("| `partnerd_job_duration_seconds` | histogram | `action_type`, `kind` |");
});

it("operating.md holds every exit code and no other", () => {
  const table = part(page("operating"), "| exit code");
  const told = [...table.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  expect(told).toEqual(Object.values(exitCodes));
});

it("operating.md holds every reason of the probes, and no other", () => {
  const source = readFileSync(new URL("../../../src/admin/health.ts", import.meta.url), "utf8");
  const [, union = ""] = /readonly reason:((?:\s*\|?\s*"[a-z-]+")+);/.exec(source) ?? [];
  const reasons = [...union.matchAll(/"([a-z-]+)"/g)].map(([, reason]) => reason);
  expect(reasons.length).toBeGreaterThan(5);
  const told = [...part(page("operating"), "| reason | means |").matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name);
  expect([...told, "poller-stuck"].sort()).toEqual(reasons.sort());
  expect(page("operating")).toContain("503 (`poller-stuck`)");
});

it("commands.md holds every command and no other", async () => {
  let help = "";
  const hear = (text: string) => {
    help += text;
  };
  await runCli(["--help"], { out: hear, err: hear, environment: {}, directory: "." });
  const [, list = ""] = help.split("Commands:\n");
  const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name);
  const table = part(page("commands"), "| command |");
  const told = [...table.matchAll(/^\|.*?\| /gm)].flatMap(([cell]) =>
    [...cell.matchAll(/`partnerd ([a-z-]+)/g)].map(([, name]) => name),
  );
  const selfTold = ["version", "help"];
  expect([...new Set(told)].sort()).toEqual(commands.filter((name = "") => !selfTold.includes(name)).sort());
});

it("operating.md goes in its runbook by events that the program logs as warnings or errors", () => {
  const runbook = part(page("operating"), "## What do I do about this event?");
  const events = [...runbook.matchAll(/^\| `([^`]+)`/gm)].map(([, event = ""]) => event);
  expect(events.length).toBeGreaterThan(5);
  const levelsOf = (event: string): readonly string[] =>
    Object.hasOwn(logEvents, event) ? logEvents[event as LogEvent].levels : [];
  expect(events.filter((event) => !levelsOf(event).some((level) => level === "warn" || level === "error"))).toEqual([]);
});
