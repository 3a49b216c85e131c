// Promise: whatever the built program is doing and however often it is told, a stop ends within its limits, with the
// right exit code, and what CodePipeline still waits for is in the ledger. Prints each cell. Needs `npm run build`.
//
// STOP_CELLS=all runs every cell; otherwise each state and each way to stop comes up a few times.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { ListedJob } from "../../src/ledger/listed-jobs.js";
import { listJobs } from "../../src/ledger/sqlite/list.js";
import { freePort } from "../support/rig.js";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const states = [
  "idle",
  "polling",
  "resolving",
  "acknowledging",
  "running",
  "ignores abort",
  "reporting",
  "paused",
  "reloading",
] as const;
const ways = ["TERM", "TERM x2", "TERM x3", "HUP + TERM"] as const;
const apis = ["up", "dead"] as const;

interface Cell {
  readonly state: (typeof states)[number];
  readonly way: (typeof ways)[number];
  readonly api: (typeof apis)[number];
}

const all: readonly Cell[] = states.flatMap((state) => ways.flatMap((way) => apis.map((api) => ({ state, way, api }))));
const isAll = process.env["STOP_CELLS"] === "all";
/** 72 cells, or 18: two for each state, over which ways and APIs are spread. */
const cells = all.filter(({ state, way, api }) => {
  const place = states.indexOf(state) + ways.indexOf(way) + 2 * apis.indexOf(api);
  return isAll || place % 4 === 0;
});

/** Long enough together that a third signal finds somebody, more than two of `wishGapMs` after the first. */
const shutdown = { drainTimeoutMs: 1_500, cancelGraceMs: 300, reportTimeoutMs: 1_500 };
const sumMs = shutdown.drainTimeoutMs + shutdown.cancelGraceMs + shutdown.reportTimeoutMs;
const marginMs = 1_000;
/** Signals within one second are one wish. */
const wishGapMs = 1_100;
/** How slow the call is that a cell stops in, while the API is up. */
const slowMs = 400;

const actionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;
const handlers: Readonly<Partial<Record<Cell["state"], string>>> = {
  running: 'job.signal.addEventListener("abort", () => no(new Error("stopped when told to")))',
  "ignores abort": "setInterval(() => {}, 1_000)",
};

/** What CodePipeline waits for when a cell ends: then the exit code is 75. */
function owes({ state, api }: Cell): boolean {
  return api === "dead" && (handlers[state] !== undefined || state === "acknowledging" || state === "reporting");
}

interface Ended {
  readonly cell: Cell;
  /** How many TERMs it lived to get. */
  readonly told: number;
  readonly tookMs: number;
  readonly code: number | null;
  readonly inLedger: readonly ListedJob[];
  readonly wrong: readonly string[];
}

class Stage {
  readonly emulator: Emulator;
  readonly folder = mkdtempSync(join(tmpdir(), "partnerd-stop-"));
  readonly adminPort: number;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = "";

  constructor(cell: Cell, emulator: Emulator, adminPort: number) {
    this.emulator = emulator;
    this.adminPort = adminPort;
    const { drainTimeoutMs, cancelGraceMs, reportTimeoutMs } = shutdown;
    const config = {
      regions: ["us-east-1"],
      actionTypes: [{ ...actionType, handler: "scripted" }],
      handlers: { scripted: { kind: "module", path: "./handler.mjs" } },
      clientTokens: {
        source: "static",
        tokens: { [emulator.defaultClient.clientId]: emulator.defaultClient.clientToken },
      },
      polling: { minInterval: "50ms", maxInterval: "200ms" },
      ledger: { store: "sqlite", path: "./ledger.db" },
      admin: { port: adminPort },
      shutdown: {
        drainTimeout: `${drainTimeoutMs}ms`,
        cancelGrace: `${cancelGraceMs}ms`,
        reportTimeout: `${reportTimeoutMs}ms`,
      },
      aws: { endpoint: emulator.url },
    };
    writeFileSync(join(this.folder, "partnerd.json"), JSON.stringify(config));
    const body = handlers[cell.state];
    const work =
      body === undefined ? '({ kind: "succeeded" })' : `new Promise((_, no) => { ${body}; job.log.info("at work"); })`;
    writeFileSync(join(this.folder, "handler.mjs"), `export const handler = async (job) => ${work};\n`);
    this.child = spawn(process.execPath, [program, "run", "-c", "partnerd.json"], {
      cwd: this.folder,
      env: {
        PATH: process.env["PATH"],
        HOME: this.folder,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_EC2_METADATA_DISABLED: "true",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.out += text;
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code) => resolve(code));
    });
  }

  /** Resolves when this stands in what it wrote. */
  says(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (pattern.test(this.out)) resolve();
      };
      look();
      this.child.stdout?.on("data", look);
      this.child.once("close", () => reject(new Error(`it ended without saying ${pattern}: ${this.out}`)));
    });
  }

  /** Rejects when the program ends. */
  async endedEarly(): Promise<never> {
    throw new Error(`it ended with ${await this.ended}: ${this.out}`);
  }

  async leave(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.emulator.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const stoppedIn: Readonly<Partial<Record<Cell["state"], string>>> = {
  polling: "PollForThirdPartyJobs",
  resolving: "GetThirdPartyJobDetails",
  acknowledging: "AcknowledgeThirdPartyJob",
  reporting: "PutThirdPartyJobSuccessResult",
};

/** Brings the program into the cell's state. */
async function enter({ state, api }: Cell, stage: Stage): Promise<void> {
  const { emulator } = stage;
  const operation = stoppedIn[state];
  if (operation) {
    emulator.fault({
      ...(api === "up" ? { kind: "latency", ms: slowMs, times: 1 } : { kind: "black-hole" }),
      operations: [operation],
    });
  }
  const isCalled = emulator.waitForEvent(
    (event) => event.type === "call-received" && event.call.operation === (operation ?? "PollForThirdPartyJobs"),
  );
  const works = state !== "idle" && state !== "polling" && state !== "paused" && state !== "reloading";
  if (works) emulator.addJob({ actionType });
  await Promise.race([isCalled, stage.endedEarly()]);
  if (handlers[state] !== undefined) await stage.says(/"at work"/);
  if (state === "paused") {
    await stage.says(/"admin-listening"/);
    const answer = await fetch(`http://127.0.0.1:${stage.adminPort}/pause`, { method: "POST" });
    expect(answer.status).toBe(200);
  }
}

/** Sends the signals, as long as there is somebody to get them; how many times it was told to stop. */
async function stop({ state, way }: Cell, stage: Stage): Promise<number> {
  const { child } = stage;
  if (state === "reloading") child.kill("SIGHUP");
  if (way === "HUP + TERM") {
    child.kill("SIGHUP");
    await stage.says(/"reload-(?:finished|rejected)"/);
  }
  child.kill("SIGTERM");
  const more = way === "TERM x2" ? 1 : way === "TERM x3" ? 2 : 0;
  for (let signals = 0; signals < more; signals++) {
    const over = new AbortController();
    const gap = new Promise<"gap">((resolve) => {
      const timer = setTimeout(() => resolve("gap"), wishGapMs);
      over.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    const first = await Promise.race([gap, stage.ended]);
    over.abort();
    if (first !== "gap") return 1 + signals;
    child.kill("SIGTERM");
  }
  return 1 + more;
}

async function run(cell: Cell): Promise<Ended> {
  const emulator = await startEmulator();
  emulator.addActionType({ ...actionType, regions: ["us-east-1"] });
  const stage = new Stage(cell, emulator, cell.state === "paused" ? await freePort() : 0);
  try {
    await enter(cell, stage);
    if (cell.api === "dead") {
      // Half of them see a port where nobody listens, half one that takes every call and answers none.
      const isRefused = ways.indexOf(cell.way) % 2 === 0;
      emulator.fault(isRefused ? { kind: "refuse-connections", ms: 60_000 } : { kind: "black-hole" });
    }
    const startedMs = performance.now();
    const told = await stop(cell, stage);
    const killer = setTimeout(() => stage.child.kill("SIGKILL"), 15_000);
    const code = await stage.ended;
    clearTimeout(killer);
    const tookMs = performance.now() - startedMs;
    const inLedger = await listJobs(join(stage.folder, "ledger.db"));
    return { cell, told, tookMs, code, inLedger, wrong: mistakesOf(cell, stage, { tookMs, code, inLedger }) };
  } catch (error) {
    return { cell, told: 0, tookMs: Number.NaN, code: null, inLedger: [], wrong: [String(error)] };
  } finally {
    await stage.leave();
  }
}

function mistakesOf(cell: Cell, { emulator, out }: Stage, end: Pick<Ended, "tookMs" | "code" | "inLedger">): string[] {
  const wrong: string[] = [];
  const expected = owes(cell) ? 75 : 0;
  if (end.code !== expected) wrong.push(`exit code ${end.code}, not ${expected}; its last lines: ${out.slice(-1_500)}`);
  if (end.tookMs > sumMs + marginMs) wrong.push(`took ${Math.round(end.tookMs)} ms, at most ${sumMs + marginMs}`);
  const held = new Set(end.inLedger.map((job) => job.key.jobId as string));
  for (const job of emulator.jobs({ status: "InProgress" })) {
    if (!held.has(job.id)) wrong.push(`job ${job.id} is InProgress at CodePipeline and not in the ledger`);
  }
  if (held.size !== (owes(cell) ? 1 : 0)) wrong.push(`${held.size} jobs in the ledger`);
  for (const job of emulator.jobs()) {
    const accepted = job.results.filter((result) => result.answer === "accepted").length;
    if (accepted > 1) wrong.push(`job ${job.id} has ${accepted} accepted results`);
    if (accepted === 1 && held.has(job.id)) wrong.push(`job ${job.id} has its result and is still in the ledger`);
  }
  return wrong;
}

it(
  "stops in time, with the right code and a true ledger, in every cell",
  async () => {
    const ends: Ended[] = [];
    const left = [...cells];
    // Two at a time: their limits are real time, and a machine with two cores must not be what breaks them.
    const lane = async () => {
      for (let cell = left.shift(); cell; cell = left.shift()) ends.push(await run(cell));
    };
    await Promise.all([lane(), lane()]);
    const lines = ends.map(
      ({ cell, told, tookMs, code, inLedger }) =>
        `${cell.state.padEnd(14)}${cell.way.padEnd(11)}API ${cell.api.padEnd(6)}${String(Math.round(tookMs)).padStart(5)} ms` +
        `  TERMs ${told}  exit ${code}  in the ledger: ${inLedger.map((job) => job.state).join(", ") || "nothing"}`,
    );
    const longest = Math.max(...ends.map(({ tookMs }) => tookMs));
    console.log(
      `${ends.length} cells of ${all.length}; sum of the limits ${sumMs} ms, longest stop ${Math.round(longest)} ms\n${lines.sort().join("\n")}`,
    );
    expect(ends).toHaveLength(cells.length);
    expect(Math.max(...ends.map(({ told }) => told)), "some cell lived to be told three times").toBe(3);
    expect(
      ends.flatMap(({ cell, wrong }) => wrong.map((each) => `${Object.values(cell).join(", ")}: ${each}`)),
    ).toEqual([]);
  },
  isAll ? 480_000 : 120_000,
);
