// Promise: under a real systemd the unit starts when jobs can be polled, tells what it does, is restarted when it hangs
// or dies without losing a job, drains when it is stopped, and can do no more than it must. Run by `.ci/systemd`.
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import { type HostGate, seenAs, startGate } from "../support/host.js";
import { thirdParty } from "../support/program.js";

const root = process.env["PARTNERD_TEST_ROOT"] ?? "";
const init = process.env["PARTNERD_TEST_INIT"] ?? "";
const adminToken = "admin-token-of-the-systemd-test";
const stopSec = 3;

/** Runs a program beside the unit. Rejects when it fails. */
async function inside(...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)("nsenter", ["-t", init, "-a", ...words], { timeout: 50_000 });
  return (stdout + stderr).trim();
}
const systemctl = (...words: readonly string[]) => inside("systemctl", ...words);
const show = (property: string) => systemctl("show", "partnerd", "--value", "-p", property);
const journal = (cursor: string) =>
  inside("journalctl", "--no-pager", "-o", "cat", "-u", "partnerd", `--after-cursor=${cursor}`);

/** A mark in the journal, to read on from. */
async function mark(): Promise<string> {
  const shown = await inside("journalctl", "--no-pager", "-n", "1", "--show-cursor", "-o", "cat");
  return /-- cursor: (\S+)/.exec(shown)?.[1] ?? "";
}

/** As the lines of the log have it. */
const event = (name: string) => new RegExp(`"event":"${name}"`);

/** Looks until it is so. Fails with what it saw last, and the end of the journal. */
function until(look: () => Promise<string>, wanted: string | RegExp): Promise<string> {
  const story = () => inside("journalctl", "-u", "partnerd", "-n", "20", "--no-pager");
  return seenAs(look, wanted, { forMs: 20_000, everyMs: 50, story });
}

/** Does what the job's configuration says. */
const handler = `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
const attempt = (act) => { try { return act() ?? "done"; } catch (error) { return error.code; } };
const write = (path) => attempt(() => writeFileSync(path, "x"));
export async function handler(job) {
  const { Do, Url } = job.configuration;
  if (Do === "block") { await fetch(Url); for (;;); }
  if (Do === "wait") await fetch(Url);
  if (Do !== "look") return { kind: "succeeded" };
  const { STATE_DIRECTORY, CACHE_DIRECTORY, CREDENTIALS_DIRECTORY } = process.env;
  return { kind: "succeeded", summary: JSON.stringify({
    uid: process.getuid() !== 0,
    state: write(STATE_DIRECTORY + "/probe"), cache: write(CACHE_DIRECTORY + "/probe"), tmp: write("/tmp/probe"),
    etc: write("/etc/probe"), own: write("/opt/partnerd/probe"), usr: write("/usr/probe"), var: write("/var/lib/probe"),
    credential: attempt(() => readFileSync(CREDENTIALS_DIRECTORY + "/admin-token", "utf8").length),
    original: attempt(() => readFileSync("/etc/partnerd/admin-token", "utf8").length),
    home: attempt(() => String(existsSync("/root/.profile"))), init: attempt(() => String(existsSync("/proc/1/status"))),
  }) };
}
`;

let emulator: Emulator;
let gate: HostGate;

function put(path: string, text: string, mode = 0o644): void {
  writeFileSync(join(root, path), text, { mode });
}

function configuration(more: object = {}, isolation = "thread"): string {
  return JSON.stringify({
    regions: ["us-east-1"],
    actionTypes: [{ ...thirdParty, handler: "only" }],
    handlers: { only: { kind: "module", path: "/etc/partnerd/handler.mjs", isolation } },
    worker: { maxConcurrentJobs: 5 },
    polling: { minInterval: "50ms", maxInterval: "200ms" },
    retry: { report: { minDelay: "50ms", maxDelay: "200ms" }, poll: { minDelay: "50ms", maxDelay: "200ms" } },
    shutdown: { drainTimeout: "30s" },
    admin: { port: 0 },
    aws: { endpoint: emulator.url },
    ...more,
  });
}

const job = (what: string) => emulator.addJob({ actionType: thirdParty, configuration: { Do: what, Url: gate.url } });

beforeAll(async () => {
  emulator = await startEmulator();
  emulator.addActionType(thirdParty);
  gate = await startGate();
  const { clientId, clientToken } = emulator.defaultClient;
  put("etc/partnerd/client-tokens.yaml", JSON.stringify({ [clientId]: clientToken }), 0o600);
  put("etc/partnerd/admin-token", `${adminToken}\n`, 0o600);
  put("etc/partnerd/environment", "AWS_ACCESS_KEY_ID=AKIATESTTESTTESTTEST\nAWS_SECRET_ACCESS_KEY=of-nobody\n", 0o600);
  put("etc/partnerd/handler.mjs", handler);
  put("etc/partnerd/partnerd.yaml", configuration());
  // Only times are other than in the unit as it is shipped.
  const times = ["WatchdogSec=6s", "RestartSec=100ms", `TimeoutStopSec=${stopSec}s`];
  mkdirSync(join(root, "etc/systemd/system/partnerd.service.d"), { recursive: true });
  put("etc/systemd/system/partnerd.service.d/times.conf", `[Service]\n${times.join("\n")}\n`);
  await systemctl("daemon-reload");
});

afterAll(async () => {
  gate?.open();
  await systemctl("stop", "partnerd").catch(() => {});
  gate?.close();
  await emulator?.close();
});

describe("the unit", () => {
  it("is without a word of complaint", async () => {
    expect(await inside("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/partnerd.service")).toBe("");
  });

  it("is exposed at most 1.5", async () => {
    const unit = "/etc/systemd/system/partnerd.service";
    const said = await inside("systemd-analyze", "security", "--offline=yes", "--no-pager", unit);
    expect(Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(1.5);
  });
});

describe("start", () => {
  it("counts as started only with the first good poll", async () => {
    const outage = emulator.fault({ kind: "unavailable" });
    await systemctl("start", "--no-block", "partnerd");
    await until(() => show("StatusText"), /1 of 1 pollers fail/);
    expect(await show("SubState")).toBe("start");
    outage.remove();
    await until(() => show("SubState"), "running");
    await until(() => show("StatusText"), "polling: 0 of 5 slots busy, 0 results owed");
  });

  it("counts as started after the configured wait when CodePipeline does not answer", async () => {
    await systemctl("stop", "partnerd");
    const outage = emulator.fault({ kind: "unavailable" });
    onTestFinished(() => outage.remove());
    put("etc/partnerd/partnerd.yaml", configuration({ systemd: { readyWait: "1s" } }));
    onTestFinished(() => put("etc/partnerd/partnerd.yaml", configuration()));
    await systemctl("start", "partnerd");
    expect(await show("ActiveState")).toBe("active");
    expect(await show("StatusText")).toMatch(/pollers fail/);
  });
});

it("works jobs with its credentials, and can write only where it must", async () => {
  await systemctl("restart", "partnerd");
  const done = await emulator.waitForJob(job("look"), "over");
  expect(done.status).toBe("Succeeded");
  const document = done.result?.document as { executionDetails?: { summary?: string } } | undefined;
  expect(JSON.parse(document?.executionDetails?.summary ?? "{}")).toEqual({
    uid: true,
    ...{ state: "done", cache: "done", tmp: "done" },
    ...{ etc: "EROFS", own: "EROFS", usr: "EROFS", var: "EROFS" },
    ...{ credential: adminToken.length + 1, original: "EACCES", home: "false", init: "false" },
  });
});

it("tells what it does", async () => {
  const id = job("wait");
  await gate.arrived();
  await until(() => show("StatusText"), "polling: 1 of 5 slots busy, 0 results owed");
  gate.open();
  await emulator.waitForJob(id, "over");
});

it("tells of a reload when it begins and when it is over, also of one that is refused", async () => {
  await inside("systemctl", "log-level", "debug");
  onTestFinished(() => void inside("systemctl", "log-level", "info"));
  for (const [text, said] of [
    [configuration({ log: { level: "debug" } }), event("reload-finished")],
    ["polling: [", event("reload-rejected")],
  ] as const) {
    const from = await mark();
    put("etc/partnerd/partnerd.yaml", text);
    await systemctl("reload", "partnerd");
    await until(() => journal(from), said);
    const told = await until(
      () => inside("journalctl", "--no-pager", "-o", "cat", `--after-cursor=${from}`),
      /RELOADING=1[\s\S]*notification message[^\n]*READY=1/,
    );
    expect(told).toMatch(/RELOADING=1[^\n]*MONOTONIC_USEC=\d+|MONOTONIC_USEC=\d+[^\n]*RELOADING=1/);
    await until(() => show("ActiveState"), "active");
  }
  put("etc/partnerd/partnerd.yaml", configuration());
});

it("goes on when a handler blocks its thread", async () => {
  const restarts = Number(await show("NRestarts"));
  const id = job("block");
  await gate.arrived();
  gate.open();
  const done = await emulator.waitForJob(id, "over");
  expect(done).toMatchObject({ status: "Failed", counts: { acknowledges: 1, results: 1 } });
  expect(await show("ActiveState")).toBe("active");
  expect(Number(await show("NRestarts"))).toBe(restarts);
});

it("is restarted when a handler blocks its loop, and settles the job that it held", async () => {
  put("etc/partnerd/partnerd.yaml", configuration({}, "none"));
  onTestFinished(() => put("etc/partnerd/partnerd.yaml", configuration()));
  await systemctl("restart", "partnerd");
  const restarts = Number(await show("NRestarts"));
  const id = job("block");
  await gate.arrived();
  const from = await mark();
  gate.open();
  const done = await emulator.waitForJob(id, "over");
  expect(done).toMatchObject({ status: "Failed", counts: { acknowledges: 1, results: 1 } });
  await until(() => show("ActiveState"), "active");
  expect(Number(await show("NRestarts"))).toBe(restarts + 1);
  expect(await journal(from)).toMatch(/Watchdog timeout/);
});

it("is restarted when it dies, and pays the result that it owed", async () => {
  await until(() => show("StatusText"), /0 results owed/);
  const restarts = Number(await show("NRestarts"));
  const outage = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const id = job("quick");
  await until(() => show("StatusText"), /1 result owed/);
  await systemctl("kill", "--kill-who=main", "--signal=KILL", "partnerd");
  outage.remove();
  const done = await emulator.waitForJob(id, "over");
  expect(done).toMatchObject({ status: "Succeeded", counts: { acknowledges: 1, results: 1 } });
  await until(() => show("ActiveState"), "active");
  expect(Number(await show("NRestarts"))).toBe(restarts + 1);
});

it("drains when it is stopped, for as long as it may, beyond the unit's own limit", async () => {
  const id = job("wait");
  await gate.arrived();
  const from = await mark();
  const stopped = systemctl("stop", "partnerd");
  await until(() => show("SubState"), "stop-sigterm");
  await until(() => show("StatusText"), /^draining: 1 of 5 slots busy/);
  await pause((stopSec + 1.5) * 1_000);
  expect(emulator.job(id)?.status).toBe("InProgress");
  gate.open();
  await stopped;
  expect(emulator.job(id)).toMatchObject({ status: "Succeeded" });
  expect(await show("Result")).toBe("success");
  expect(await journal(from)).toMatch(/"event":"stopped","owed":0/);
});
