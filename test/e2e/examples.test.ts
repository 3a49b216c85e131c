// Promise: each folder of config/examples/ does what its README says. The README's first commands (the handler's own test
// and check-config) pass in a copy that stands alone, and a daemon with its partnerd.yaml brings the jobs of its
// scenario.yaml to the ends they are meant for, successes and failures.
import { execFile, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import type { JobView } from "../../src/emulator/emulated-job.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { JobsDocument, ScenarioDocument } from "../../src/emulator/scenario-documents.js";
import { type Program, startProgram, testFolder } from "../support/program.js";
import { freePort } from "../support/rig.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples = join(root, "config", "examples");
const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const text = (...path: readonly string[]) => readFileSync(join(examples, ...path), "utf8");

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const runsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);

/** The folder of the customer 11111111-…, by its hash. */
const firstCustomer = createHash("sha256").update("11111111-1111-4111-8111-111111111111").digest("hex").slice(0, 16);

/** A job's end: a success, or the type of its failure. */
type End = "succeeded" | "JobFailed" | "ConfigurationError";

/** What stands beside an example's daemon. */
interface Beside {
  /** Variables of the daemon. */
  readonly environment?: Vars;
  /** What is otherwise in its configuration. */
  readonly config?: object;
  /** Lets go of what the handler waits for. */
  readonly release?: () => void;
}

/** An example at work, in a copy of its folder. */
interface Scene extends Beside {
  readonly folder: string;
  readonly emulator: Emulator;
  readonly daemon: Program;
}

interface Example {
  /** What it needs of this machine besides sh and Node. */
  readonly needs?: "python3" | "TypeScript";
  /** How the jobs of each entry of scenario.yaml end, in its order. */
  readonly ends: readonly End[];
  /** Starts what the handler meets. */
  readonly beside?: (folder: string) => Promise<Beside>;
  /** Does what a person does meanwhile, for the job of an entry. */
  readonly meanwhile?: (scene: Scene, id: string, end: End) => Promise<void>;
  /** What else is to be seen when all have ended: the last job of each one that was added. */
  readonly expect?: (scene: Scene, jobs: readonly JobView[]) => Promise<void>;
}
type Vars = Readonly<Record<string, string>>;

const table: Readonly<Record<string, Example>> = {
  "remote-run": {
    needs: "TypeScript",
    ends: ["succeeded", "JobFailed", "ConfigurationError"],
    // Each job looks once, so that a run is a chain of three.
    beside: async (folder) => ({
      environment: { RUNS_URL: await service(folder, "remote.mts"), RUNS_FOLLOW_MS: "0" },
    }),
    expect: async ({ emulator }, [passed]) => {
      const chain = emulator
        .jobs()
        .filter(({ pipeline }) => pipeline.actionExecutionId === passed?.pipeline.actionExecutionId);
      expect(chain).toHaveLength(3);
      const runs = chain.map((job) => detailsOf(job)["externalExecutionId"]);
      expect(new Set(runs).size).toBe(1);
    },
  },
  "scan-and-gate": {
    ends: ["succeeded", "JobFailed", "ConfigurationError"],
    expect: async ({ daemon }, jobs) => {
      expect(jobs.slice(0, 2).map(({ outputs }) => outputs[0]?.uploaded !== undefined)).toEqual([true, false]);
      expect(saidOf(jobs[1])).toMatch(/Source\/\.env:1$/);
      expect(JSON.stringify([jobs[1], daemon.logs()])).not.toContain("AKIA");
    },
  },
  "build-and-publish": {
    ends: ["succeeded", "ConfigurationError", "JobFailed"],
    expect: async ({ folder }, jobs) => {
      expect(jobs[0]?.outputs[0]?.uploaded?.bytes).toBeGreaterThan(0);
      expect(jobs[0]?.result?.document["outputVariables"]).toMatchObject({ Version: "1.4.0" });
      expect(readdirSync(join(folder, "store"))).toEqual(["app-1.4.0.tar.gz"]);
    },
  },
  "deploy-per-customer": {
    needs: "python3",
    ends: ["succeeded", "succeeded", "ConfigurationError"],
    // Another deployment of the first customer is under way.
    beside: async (folder) => ({
      release: await held(join(folder, "deployed", firstCustomer, "lock")),
      config: { handlers: { deploy: { env: { WAIT_SECONDS: "0" } } } },
    }),
    meanwhile: async ({ emulator, release }, id) => {
      if (id !== emulator.jobs()[0]?.id) return;
      const waits = () => emulator.lastJob(id)?.continuationToken === "again";
      await emulator.waitFor(waits, { what: "a job that waits for its customer's turn" });
      release?.();
    },
    expect: async ({ folder }, jobs) => {
      expect(jobs).toHaveLength(5);
      expect(readdirSync(join(folder, "deployed"))).toHaveLength(2);
      const releases = readdirSync(join(folder, "deployed", firstCustomer, "production", "releases"));
      expect(releases.filter((file) => file.endsWith(".done"))).toHaveLength(3);
    },
  },
  "wait-for-approval": {
    needs: "python3",
    ends: ["succeeded", "JobFailed", "ConfigurationError"],
    beside: async () => ({ config: { handlers: { approval: { env: { WAIT_SECONDS: "0" } } } } }),
    meanwhile: async ({ folder, emulator }, id, end) => {
      if (end === "ConfigurationError") return;
      const name = () => emulator.lastJob(id)?.continuationToken;
      await emulator.waitFor(() => name() !== undefined, { what: "a request for approval" });
      const words = [end === "succeeded" ? "approve" : "reject", name() ?? ""];
      expect(spawnSync(join(folder, "desk.py"), words, { cwd: folder }).status).toBe(0);
    },
    expect: async (_, jobs) => {
      expect(saidOf(jobs[0])).toMatch(/^approved by /);
      expect(saidOf(jobs[1])).toMatch(/^rejected by /);
    },
  },
  "http-service": {
    needs: "TypeScript",
    ends: ["succeeded", "succeeded", "JobFailed"],
    beside: async (folder) => {
      const secret = `whsec_${randomBytes(32).toString("base64")}`;
      writeFileSync(join(folder, "webhook-secret"), secret, { mode: 0o600 });
      const url = await service(folder, "service.mts", { WEBHOOK_SECRET: secret });
      return { config: { handlers: { scan: { url } }, admin: { port: await freePort() } } };
    },
    expect: async ({ daemon }) => {
      expect(daemon.logs().filter(({ event }) => event === "callback-awaited")).toHaveLength(2);
    },
  },
};

it("has the examples that it tells of", () => {
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(table).sort());
  const index = text("README.md");
  for (const { name } of folders) expect(index).toContain(`[${name}](${name}/README.md)`);
});

describe.each(Object.entries(table))("%s", (name, example) => {
  it("says what it is in a README of at most 25 lines", () => {
    const lines = text(name, "README.md").trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(25);
    expect(lines.filter((line) => line === "```sh")).toHaveLength(2);
  });

  it("passes its own test and check-config, and works its scenario to the end", async ({ skip }) => {
    const { needs } = example;
    skip(needs === "python3" && !hasPython, "python3 is not here");
    skip(needs === "TypeScript" && !runsTypeScript, `Node ${process.versions.node} runs no TypeScript`);
    // Both at once, each in a copy of its own: most of either is waiting.
    await Promise.all([commandsOfReadme(name), worksScenario(name, example)]);
  }, 60_000);
});

/** Runs what a reader is told to run first: what the example needs, its own test, and check-config. */
async function commandsOfReadme(name: string): Promise<void> {
  const folder = copyOf(name);
  const commands = /```sh\n(.*?)```/s.exec(text(name, "README.md"))?.[1] ?? "";
  const options = { cwd: folder, env: variables(folder), timeout: 55_000 };
  const { stdout, stderr } = await promisify(execFile)("sh", ["-eu", "-c", commands], options);
  expect(stdout).toMatch(/^ok: 1 action type .*$/m);
  expect(stderr).not.toContain("warning:");
}

async function worksScenario(name: string, example: Example): Promise<void> {
  const scene = await atWork(copyOf(name), example);
  const { emulator, daemon } = scene;
  const early = daemon.ended.then(({ code, out, err }) => {
    throw new Error(`the daemon ended early with ${code}:\n${out}${err}`);
  });
  early.catch(() => {});
  const jobs: JobView[] = [];
  for (const [entry, document] of scenarioOf(name).jobs.entries()) {
    const end = example.ends[entry] ?? "succeeded";
    const ids = emulator.addJobs({ ...document, delayMs: 0 });
    for (const id of ids) {
      await Promise.race([example.meanwhile?.(scene, id, end), early]);
      const over = emulator.waitFor(() => isOver(emulator.lastJob(id)), { what: `the end of entry ${entry}` });
      await Promise.race([over, early]);
      const last = emulator.lastJob(id);
      expect([endOf(last), saidOf(last)], `entry ${entry}`).toEqual([end, expect.anything()]);
      if (last) jobs.push(last);
    }
  }
  expect(emulator.violations()).toEqual([]);
  daemon.child.kill("SIGTERM");
  expect((await daemon.ended).code).toBe(0);
  await example.expect?.(scene, jobs);
}

/** A copy of the folder in a project that has partnerd installed. */
function copyOf(name: string): string {
  const project = testFolder();
  mkdirSync(join(project, "node_modules", ".bin"), { recursive: true });
  symlinkSync(root, join(project, "node_modules", "partnerd"));
  symlinkSync(join(root, "dist", "main.js"), join(project, "node_modules", ".bin", "partnerd"));
  cpSync(join(examples, name), join(project, name), { recursive: true });
  return join(project, name);
}

/** What a shell in that project sees. */
function variables(folder: string): Record<string, string> {
  const path = [join(folder, "..", "node_modules", ".bin"), dirname(process.execPath), process.env["PATH"]];
  return { PATH: path.join(delimiter), HOME: folder, PYTHONDONTWRITEBYTECODE: "1" };
}

/** A daemon on the example's own configuration, quicker than it says, and the emulator with its action types. */
async function atWork(folder: string, example: Example): Promise<Scene> {
  const emulator = await startEmulator({ scenario: { ...scenarioOf(basename(folder)), jobs: [] } });
  onTestFinished(() => emulator.close());
  emulator.configure({ continuationDelayMs: 20 });
  const beside = (await example.beside?.(folder)) ?? {};
  const quick = {
    polling: { minInterval: "50ms", maxInterval: "100ms" },
    admin: { port: 0 },
    log: { format: "json" },
    aws: { endpoint: emulator.url },
    ...beside.config,
  };
  writeFileSync(join(folder, "quick.json"), JSON.stringify(quick));
  const options = { folder, environment: { ...variables(folder), ...beside.environment } };
  return {
    ...beside,
    folder,
    emulator,
    daemon: startProgram(["run", "-c", "partnerd.yaml", "-c", "quick.json"], options),
  };
}

/** Starts a service of the example on a free port, and gives the address that it tells. */
async function service(folder: string, file: string, environment: Vars = {}): Promise<string> {
  const env = { ...variables(folder), PORT: "0", ...environment };
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return line.replace("listening on ", "");
}

/** Holds a lock of the kernel until the returned function is called. */
async function held(lock: string): Promise<() => void> {
  mkdirSync(dirname(lock), { recursive: true });
  const script = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); input()";
  const holder = spawn("python3", ["-c", script, lock], { stdio: ["pipe", "pipe", "ignore"] });
  onTestFinished(() => void holder.kill("SIGKILL"));
  await once(createInterface(holder.stdout), "line");
  return () => void holder.kill("SIGKILL");
}

function scenarioOf(name: string): ScenarioDocument & { readonly jobs: readonly JobsDocument[] } {
  return parse(text(name, "scenario.yaml"));
}

/** True once the action has ended, not only this job of it. */
function isOver(job: JobView | undefined): boolean {
  return job?.result !== undefined && job.result.document["continuationToken"] === undefined;
}

function detailsOf(job: JobView | undefined): Vars {
  return (job?.result?.document["failureDetails"] ?? job?.result?.document["executionDetails"] ?? {}) as Vars;
}

function endOf(job: JobView | undefined): string | undefined {
  return job?.result?.kind === "success" ? "succeeded" : detailsOf(job)["type"];
}

/** What the customer reads: a failure's message, a success's summary. */
function saidOf(job: JobView | undefined): string | undefined {
  return detailsOf(job)["message"] ?? detailsOf(job)["summary"];
}
