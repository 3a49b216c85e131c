// One job's page and the history as people meet them, in a real browser: running, failed, in a chain, ended long ago in a
// process that is gone; wide and narrow, light and dark; by links, keyboard and form; live, and without scripts.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/config.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { custom, freePort, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";
import { hostile } from "./scenes.js";
import { accessible, isLive, says, until, visit } from "./visits.js";

const history = { maxJobs: 1_000, maxAgeMs: 30 * 86_400_000 };
const pipeline = { name: "storefront-release", stage: "Deploy-to-production", action: "Scan-images" };

/** Looks at a page in each size and theme; nothing may stick out at the sides, and nothing be complained of. */
async function lookAt(url: string, name: string): Promise<void> {
  const { page } = await visit(url, { javaScriptEnabled: false });
  for (const [size, width] of [
    ["wide", 1280],
    ["tablet", 800],
    ["narrow", 375],
  ] as const) {
    await page.setViewportSize({ width, height: 812 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const folder = process.env["SCREENSHOTS"];
      if (folder) {
        mkdirSync(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true });
      }
    }
  }
  const live = await visit(url);
  for (const width of [1280, 800, 375]) {
    await live.page.setViewportSize({ width, height: 812 });
    expect(await live.page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    for (const colorScheme of ["light", "dark"] as const) {
      await live.page.emulateMedia({ colorScheme });
      await accessible(live.page);
    }
  }
  // Chromium itself tells of the answer 404.
  expect(live.complaints.filter((text) => !text.includes("404"))).toEqual([]);
}

/** What a job of these scenes does, by its configuration. */
function handler(gate: Gate) {
  return async (job: HandlerJob) => {
    const { as, steps = "1" } = job.configuration;
    for (let at = 1; at <= 12; at++)
      job.log.info(`step ${at}: looked at 40 files of the image`, { step: at, found: 0 });
    if (as === "long") job.log.warn(`${"a long line of output ".repeat(30)} ${hostile}`);
    if (as === "waits") await gate.enter();
    if (as === "fails") {
      return {
        kind: "failed",
        type: "ConfigurationError",
        message: `Target "eu-prod" does not exist.\nKnown: eu-test, us-prod. ${hostile}`,
      };
    }
    const step = Number(job.continuationToken ?? "1");
    if (step < Number(steps))
      return {
        kind: "continued",
        continuationToken: String(step + 1),
        percentComplete: step * 20,
        summary: `part ${step} of ${steps}`,
      };
    if (as === "chain") await gate.enter();
    const done = {
      kind: "succeeded",
      summary: "3 findings, none of them severe",
      externalExecutionId: "scan-20261130-0042",
    };
    const outputVariables = { Findings: "3", Report: "https://example.com/reports/42" };
    return as === "chain" || steps !== "1" ? { ...done, outputVariables } : done;
  };
}

const configuration = {
  Target: "eu-prod",
  ApiKey: "hunter2-of-the-customer",
  Empty: "",
  Paths: "src/**/*.ts, test/**/*.ts, docs",
};

async function started(ledger: Config["ledger"], gate: Gate, sharedEmulator?: Emulator): Promise<Rig> {
  const rig = await startRig({
    ...(sharedEmulator ? { sharedEmulator } : { emulator: { settings: { continuationDelayMs: 1 } } }),
    actionTypes: [
      { ...thirdParty, secretProperties: ["ApiKey"] },
      { ...custom, secretProperties: ["ApiKey"] },
    ],
    handle: handler(gate),
    config: { admin: { host: "127.0.0.1", port: await freePort() }, ledger },
  });
  onTestFinished(async () => {
    gate.release(100);
    await rig[Symbol.asyncDispose]();
  });
  return rig;
}

const inMemory = { store: "memory", history } as const;

describe("a job's page", () => {
  it("shows a job that runs, and follows it to its end without being loaded anew", async () => {
    const gate = new Gate();
    const rig = await started(inMemory, gate);
    const id = rig.emulator.addJob({
      actionType: thirdParty,
      configuration: { ...configuration, as: "waits" },
      pipeline,
    });
    await gate.waiting(1);
    const url = `${rig.daemon.adminUrl}/jobs/${id}`;
    await lookAt(url, "job-running");
    const { page, complaints } = await visit(url);
    await page.evaluate("window.mark = 'still here'");
    await says(page, "is running");
    gate.release();
    await says(page, "succeeded");
    await until(page, "document.querySelectorAll('#states tbody tr').length === 6");
    expect(await page.evaluate("window.mark")).toBe("still here");
    expect(await page.locator("#log").textContent()).toContain("job succeeded");
    expect(complaints).toEqual([]);
  });

  it("shows a job that failed in the customer's words, as words", async () => {
    const gate = new Gate();
    const rig = await started(inMemory, gate);
    const id = rig.emulator.addJob({ actionType: custom, configuration: { ...configuration, as: "fails" }, pipeline });
    await rig.event("job-reported");
    const url = `${rig.daemon.adminUrl}/jobs/${id.slice(0, 10)}`;
    await lookAt(url, "job-failed");
    const { page } = await visit(url);
    expect(await page.locator(".verdict").textContent()).toContain(
      'ConfigurationError: Target "eu-prod" does not exist.',
    );
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.content()).not.toContain("hunter2");
  });

  it("shows an action's jobs as one line of steps, each a link", async () => {
    const gate = new Gate();
    const rig = await started(inMemory, gate);
    const first = rig.emulator.addJob({
      actionType: custom,
      configuration: { ...configuration, as: "chain", steps: "5" },
      pipeline,
    });
    await gate.waiting(1);
    await lookAt(`${rig.daemon.adminUrl}/jobs/${rig.emulator.lastJob(first)?.id}`, "job-chain");
    const { page } = await visit(`${rig.daemon.adminUrl}/jobs/${first}`);
    const steps = page.locator("#chain li");
    expect(await steps.count()).toBe(5);
    expect(await page.locator("#chain [aria-current=step]").textContent()).toContain("continued 20 %");
    // By the keyboard alone.
    await page.locator("#chain a").first().focus();
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    expect(await page.locator("#chain [aria-current=step]").textContent()).toContain("continued 40 %");
  });

  it("shows what the ledger remembers after a restart, and finds it by a search whose link can be sent", async () => {
    const folder = mkdtempSync(join(tmpdir(), "partnerd-browser-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const ledger = { store: "sqlite", path: join(folder, "l.db"), history } as const;
    const emulator = await startEmulator({ settings: { continuationDelayMs: 1 } });
    onTestFinished(() => emulator.close());
    const gate = new Gate();
    const before = await started(ledger, gate, emulator);
    const id = emulator.addJob({ actionType: custom, configuration: { ...configuration, steps: "3" }, pipeline });
    emulator.addJobs({ actionType: thirdParty, count: 60, configuration });
    emulator.addJobs({ actionType: custom, count: 5, configuration: { ...configuration, as: "fails" } });
    await before.event("job-reported", () => before.count("job-reported") >= 68);
    await before.stop();
    const rig = await started(ledger, gate, emulator);
    const last = emulator.lastJob(id)?.id ?? "";
    await lookAt(`${rig.daemon.adminUrl}/jobs/${last}`, "job-ended");
    await lookAt(`${rig.daemon.adminUrl}/history`, "history");
    await lookAt(`${rig.daemon.adminUrl}/history?outcome=failed&client=nobody`, "history-none");
    await lookAt(`${rig.daemon.adminUrl}/jobs/zzz`, "job-unknown");
    // Without scripts, by the form alone.
    const { page, complaints } = await visit(`${rig.daemon.adminUrl}/history`, { javaScriptEnabled: false });
    await page.getByLabel("Job", { exact: true }).fill(last.slice(0, 9));
    await page.getByRole("button", { name: "Search" }).click();
    expect(page.url()).toContain(`job=${last.slice(0, 9)}`);
    expect(await page.locator("tbody tr").count()).toBe(1);
    await page.locator("tbody a").first().click();
    expect(await page.locator("h1").textContent()).toContain("succeeded");
    expect(await page.locator("#chain li").count()).toBe(3);
    expect(await page.content()).not.toContain("hunter2");
    await page.goto(`${rig.daemon.adminUrl}/history`);
    await page.getByRole("link", { name: "Older jobs" }).click();
    expect(await page.locator("tbody tr").count()).toBe(18);
    expect(complaints).toEqual([]);
  });

  it("says when its connection is gone", async () => {
    const gate = new Gate();
    const rig = await started(inMemory, gate);
    const id = rig.emulator.addJob({ actionType: custom, configuration: { as: "waits" }, pipeline });
    await gate.waiting(1);
    const { page } = await visit(`${rig.daemon.adminUrl}/jobs/${id}`);
    await isLive(page);
    gate.release();
    await rig.stop();
    await until(page, "document.getElementById('live').textContent.startsWith('partnerd stopped at ')");
  });
});
