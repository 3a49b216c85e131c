// Promise: what README.md says about settings, exit codes and commands is what the program does.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runCli } from "../../src/cli/cli.js";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { configurationTable } from "../../src/config/table.js";
import { type LogEvent, logEvents } from "../../src/std/log-events.js";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

it("holds the configuration table of the schema, to the letter", () => {
  expect(readme).toContain(configurationTable());
});

it("holds every exit code and no other", () => {
  const table = readme.slice(readme.indexOf("| exit code"), readme.indexOf("The admin port"));
  const told = [...table.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  expect(told).toEqual(Object.values(exitCodes));
});

it("holds every command and no other", async () => {
  let help = "";
  const hear = (text: string) => {
    help += text;
  };
  await runCli(["--help"], { out: hear, err: hear, environment: {}, directory: "." });
  const [, list = ""] = help.split("Commands:\n");
  const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name);
  const table = readme.slice(readme.indexOf("| command |"), readme.indexOf("## Write a handler"));
  const told = [...table.matchAll(/^\|.*?\| /gm)].flatMap(([cell]) =>
    [...cell.matchAll(/`partnerd ([a-z-]+)/g)].map(([, name]) => name),
  );
  const selfTold = ["version", "help"];
  expect([...new Set(told)].sort()).toEqual(commands.filter((name = "") => !selfTold.includes(name)).sort());
});

it("goes in its runbook by events that the program logs as warnings or errors", () => {
  const runbook = readme.slice(readme.indexOf("**Runbook**"), readme.indexOf("**After a restart"));
  const events = [...runbook.matchAll(/^\| `([^`]+)`/gm)].map(([, event = ""]) => event);
  expect(events.length).toBeGreaterThan(5);
  const levelsOf = (event: string): readonly string[] =>
    Object.hasOwn(logEvents, event) ? logEvents[event as LogEvent].levels : [];
  expect(events.filter((event) => !levelsOf(event).some((level) => level === "warn" || level === "error"))).toEqual([]);
});
