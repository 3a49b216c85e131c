// Promise: every log line has an event of the catalogue, and docs/log-events.md lists them all.
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { logEventsPage } from "../../../scripts/log-events.ts";
import type { Log } from "../../../src/std/log.js";
import { logEvents } from "../../../src/std/log-events.js";
import { logLevels } from "../../../src/std/log-queue.js";

const names = Object.keys(logEvents);

/** Never called: what must not compile. The type check fails where an expected error is missing. */
function doesNotCompile(log: Log, anything: Readonly<Record<string, unknown>>): void {
  // @ts-expect-error a line without an event
  log.info({}, "text");
  // @ts-expect-error an event that the catalogue does not have
  log.info("something-else", {}, "text");
  // @ts-expect-error a level that the event does not have
  log.warn("job-started", {}, "text");
  // @ts-expect-error a level that is decided later, and that the event does not have
  log.at("error", "job-started", {}, "text");
  // @ts-expect-error a field that the event does not have
  log.info("paused", { reason: "lunch" }, "text");
  const wide = { handler: "scan", brokenMs: 5, secret: "x" };
  // @ts-expect-error a field that comes with others
  log.info("handler-restored", { ...wide }, "text");
  // @ts-expect-error fields that nobody knows
  log.info("paused", anything, "text");
  // @ts-expect-error a line without a text
  log.info("paused", {});
}

describe("the catalogue of log events", () => {
  it("is what lines are checked against when they are compiled", () => {
    expect(doesNotCompile).toBeTypeOf("function");
  });

  it("is the table of docs/log-events.md (`npm run log-events` writes it)", () => {
    const { is, shouldBe } = logEventsPage();
    expect(is).toBe(shouldBe);
    for (const name of names) expect(is).toContain(`| \`${name}\` |`);
  });

  it.each(Object.entries(logEvents))(
    "names %s in kebab case, with levels, fields once each and sentences",
    (name, entry) => {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(entry.levels.length).toBeGreaterThan(0);
      for (const level of entry.levels) expect(logLevels).toContain(level);
      expect(new Set(entry.fields).size).toBe(entry.fields.length);
      for (const text of [entry.means, "remedy" in entry ? entry.remedy : "None."]) {
        expect(text).toMatch(/^(?:["`A-Z]|partnerd |systemd ).*[.]$/);
      }
    },
  );

  it("says what to do about every error", () => {
    const errors = Object.entries(logEvents).filter(([, { levels }]) =>
      (levels as readonly string[]).includes("error"),
    );
    const silent = errors.filter(([name, entry]) => !("remedy" in entry) && name !== "handler-log");
    expect(silent.map(([name]) => name)).toEqual([]);
  });

  it("has no event that nothing logs", () => {
    const sources = globSync("src/**/*.ts", { cwd: new URL("../../../", import.meta.url) })
      .filter((path) => !path.endsWith("log-events.ts"))
      .map((path) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8"))
      .join("\n");
    // An event of the engine may have the same name; that it makes its line is what the tests of the event log check.
    expect(names.filter((name) => !sources.includes(`"${name}"`))).toEqual([]);
  });
});
