// Several accounts, as each reader of the engine's events shows them: which one is meant is said wherever it has a name.
import { describe, expect, it } from "vitest";
import { eventLog } from "../../../src/admin/event-log.js";
import { ready } from "../../../src/admin/health.js";
import { History } from "../../../src/admin/history.js";
import { Metrics } from "../../../src/admin/metrics.js";
import { sectionsOf } from "../../../src/admin/page.js";
import { filterFrom } from "../../../src/admin/page-filter.js";
import { StatusBoard } from "../../../src/admin/status.js";
import { verdictOn } from "../../../src/admin/verdict.js";
import type { AdminStatus } from "../../../src/admin/view.js";
import { GatewayError } from "../../../src/codepipeline/gateway.js";
import { Breakers } from "../../../src/engine/breakers.js";
import type { PollerName, UntimedEvent } from "../../../src/engine/events.js";
import { type AccountName, actionTypeName, type JobId, type Region } from "../../../src/job/job.js";
import { FakeClock } from "../../support/fake-clock.js";
import { readOpenMetrics } from "../../support/openmetrics.js";

const startMs = Date.UTC(2026, 0, 1);
const actionType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;
const region = "us-east-1" as Region;
const plain: PollerName = { region, actionType };
const shop: PollerName = { account: "shop" as AccountName, region, actionType };
const blog: PollerName = { account: "blog" as AccountName, region, actionType };
const fault = new GatewayError({ kind: "denied", operation: "AssumeRole", code: "AccessDenied", message: "no" });

/** Readers of the same events, over pollers that were all answered once. */
function given(...pollers: readonly PollerName[]) {
  const board = new StatusBoard({ startedAtMs: startMs, pollers });
  const lines: { level: string; event: string; fields: object; message: string }[] = [];
  const at = (level: string, event: string, fields: object, message: string) =>
    void lines.push({ level, event, fields, message });
  const log = eventLog({
    debug: (...line) => at("debug", ...line),
    info: (...line) => at("info", ...line),
    warn: (...line) => at("warn", ...line),
    error: (...line) => at("error", ...line),
    at,
  });
  const breakers = new Breakers({ emit: (event) => see(event), mask: (text) => text, monotonic: () => 0 });
  const slots = { busy: 0, max: 10, working: 0, owed: 0, groups: [] };
  const status = (): AdminStatus => ({
    ...board.snapshot(startMs),
    slots,
    inFlight: 0,
    unattended: 0,
    denials: breakers.denials.map(({ poller, fault: { operation, message } }) => {
      return { ...poller, actionType: actionTypeName(poller.actionType), operation, message };
    }),
  });
  const look = () => ({ status: status(), ledger: { writable: true } });
  const metrics = new Metrics({ clock: new FakeClock(startMs), version: "1", store: "memory", pollers, look });
  function see(event: UntimedEvent): void {
    const timed = { ...event, atMs: startMs };
    board.observe(timed);
    log(timed);
    metrics.observe(timed);
  }
  const idle = { limit: 1, offered: 0, taken: 0, unreadable: [], durationMs: 1, restMs: 1 };
  for (const poller of pollers) see({ type: "poll-finished", poller, ...idle });
  lines.length = 0;
  return { see, lines, status, breakers, metrics };
}

describe("an account that is denied", () => {
  it("is named by log, board, readiness and headline, and the others are not", () => {
    const { breakers, lines, status, metrics } = given(plain, shop, blog);
    breakers.failed(shop, "poll", fault);
    expect(lines).toMatchObject([
      { event: "access-denied", fields: { account: "shop", region }, message: expect.stringContaining("account shop") },
    ]);
    expect(status().breakers).toMatchObject([{ account: "shop", region }]);
    const { ready: isReady, notes } = ready(status(), { writable: true });
    expect([isReady, notes.map(({ note, message }) => [note, message.includes("(account shop)")])]).toEqual([
      true,
      [["call-denied", true]],
    ]);
    expect(verdictOn(status(), { writable: true })).toMatchObject({
      tone: "bad",
      headline: expect.stringContaining("us-east-1 (account shop)"),
    });
    breakers.passed(blog, "poll");
    expect(lines).toHaveLength(1);
    breakers.passed(shop, "poll");
    expect(lines[1]).toMatchObject({ event: "access-restored", fields: { account: "shop", region } });
    metrics.close();
  });

  it("is unready once all of them are", () => {
    const { breakers, status, metrics } = given(shop, blog);
    for (const each of [shop, blog]) breakers.failed(each, "poll", fault);
    expect(ready(status(), { writable: true }).reasons.map(({ reason }) => reason)).toEqual(["breaker-open"]);
    metrics.close();
  });

  it("explains the failed calls of its own jobs alone", () => {
    const { breakers, see, lines, metrics } = given(shop, blog);
    breakers.failed(shop, "poll", fault);
    lines.length = 0;
    const retried = { type: "call-retried", fault, attempt: 3, delayMs: 5 } as const;
    for (const each of [shop, blog]) see({ ...retried, key: { ...each, jobId: "job-1" as JobId } });
    expect(lines.map(({ level, fields }) => [level, (fields as { account?: string }).account])).toEqual([
      ["debug", "shop"],
      ["warn", "blog"],
    ]);
    metrics.close();
  });
});

function tablesOf(status: AdminStatus): readonly string[] {
  const view = { status, ledger: { writable: true }, history: new History().view(startMs) };
  const sections = sectionsOf(view, filterFrom(new URLSearchParams()), false);
  return ["pollers", "jobs"].map((name) => sections.get(name)?.() ?? "");
}

describe("a line, a series and a row", () => {
  it("name no account where there is only the one that has no name", async () => {
    const { see, lines, metrics, status } = given(plain);
    see({ type: "job-recovered", key: { ...plain, jobId: "job-1" as JobId }, state: "running", ageMs: 5 });
    expect(Object.keys(lines[0]?.fields ?? {})).not.toContain("account");
    const { text } = await metrics.exposition("application/openmetrics-text");
    expect(text).not.toContain("account=");
    expect(tablesOf(status()).join("")).not.toMatch(/>(Account|Region)</);
    metrics.close();
  });

  it("tell two accounts of one action type, Region and job id apart", async () => {
    const { see, lines, metrics, status } = given(plain, shop);
    for (const each of [plain, shop]) {
      see({ type: "job-recovered", key: { ...each, jobId: "job-1" as JobId }, state: "running", ageMs: 5 });
    }
    expect(lines.map(({ fields }) => (fields as { account?: string }).account)).toEqual([undefined, "shop"]);
    expect(status().jobs.map(({ account }) => account)).toEqual([undefined, "shop"]);
    const { text } = await metrics.exposition("application/openmetrics-text");
    const polls = readOpenMetrics(text).get("partnerd_polls")?.samples ?? [];
    const empty = polls.filter(({ labels }) => labels["end"] === "empty");
    expect(empty.map(({ labels, value }) => [labels["account"], value])).toEqual([
      [undefined, 1],
      ["shop", 1],
    ]);
    for (const table of tablesOf(status())) {
      expect(table).toMatch(/>Account<.*>default<.*>shop</s);
    }
    metrics.close();
  });
});
