// Promise: the image runs locked down beside a service, is healthy only while its loops turn, drains at SIGTERM, lives
// in little memory, and comes back after a crash with what it owed. Run by `.ci/docker`, on a real Docker Engine.
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import { type HostGate, seenAs, startGate } from "../support/host.js";
import { thirdParty } from "../support/program.js";

const docker = process.env["PARTNERD_TEST_DOCKER"] ?? "docker";
const image = process.env["PARTNERD_TEST_IMAGE"] ?? "";
const base = "node:24-bookworm-slim";
const version = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;
/** What docs/deploying.md promises; 104 MiB were the least that worked, with a health check every second. */
const memory = "192m";

async function run(...words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(docker, words, { timeout: 55_000, maxBuffer: 50_000_000 });
  return (stdout + stderr).trim();
}
const inspect = (name: string, path: string) => run("inspect", name, "--format", `{{${path}}}`);

/** Looks until it is so. Fails with what it saw last, and what the container said. */
function until(name: string, look: () => Promise<string>, wanted: string | RegExp): Promise<string> {
  const story = async () => (await run("logs", name)).slice(-4_000);
  return seenAs(look, wanted, { forMs: 40_000, everyMs: 100, story });
}

const handler = `
export async function handler(job) {
  const { Do, Url } = job.configuration;
  if (Do === "block") { await fetch(Url); for (;;); }
  if (Do === "wait") await fetch(Url);
  return { kind: "succeeded", summary: "done" };
}
`;

let emulator: Emulator;
let gate: HostGate;

/** Containers share this machine's network here, so that each needs ports of its own. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Started {
  readonly name: string;
  readonly logs: () => Promise<string>;
  readonly health: () => Promise<string>;
}

const locked = [
  ...["--read-only", "--tmpfs", "/tmp:size=1g,mode=1777", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
  ...["--pids-limit", "100", "--memory", memory, "--memory-swap", memory],
];

/** Starts partnerd locked down, as docs/deploying.md says. It goes with the test. */
async function start(name: string, config: object = {}, flags: readonly string[] = []): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-docker-"));
  const { clientId, clientToken } = emulator.defaultClient;
  const configuration = {
    regions: ["us-east-1"],
    actionTypes: [{ ...thirdParty, handler: "only" }],
    handlers: { only: { kind: "module", path: "./handler.mjs" } },
    clientTokens: { source: "static", tokens: { [clientId]: clientToken } },
    polling: { minInterval: "50ms", maxInterval: "200ms" },
    retry: { report: { minDelay: "50ms", maxDelay: "200ms" } },
    admin: { port: await freePort() },
    aws: { endpoint: emulator.url },
    ...config,
  };
  writeFileSync(join(folder, "partnerd.yaml"), JSON.stringify(configuration), { mode: 0o644 });
  writeFileSync(join(folder, "handler.mjs"), handler, { mode: 0o644 });
  execFileSync("chmod", ["755", folder]);
  onTestFinished(async () => {
    await run("rm", "--force", "--volumes", name);
    await run("volume", "rm", "--force", name);
    rmSync(folder, { recursive: true, force: true });
  });
  await run(
    ...["run", "--detach", "--name", name, "--network", "host", ...locked],
    ...["--volume", `${folder}:/etc/partnerd:ro`, "--volume", `${name}:/var/lib/partnerd`],
    ...["--health-interval", "1s", "--health-retries", "2"],
    ...["--env", "AWS_ACCESS_KEY_ID=AKIATESTTESTTESTTEST", "--env", "AWS_SECRET_ACCESS_KEY=of-nobody"],
    ...flags,
    image,
  );
  return { name, logs: () => run("logs", name), health: () => inspect(name, ".State.Health.Status") };
}

const job = (what: string) =>
  emulator.addJob({ actionType: thirdParty, configuration: { Do: what, Url: gate.url, Target: "main" } });

beforeAll(async () => {
  emulator = await startEmulator();
  emulator.addActionType(thirdParty);
  gate = await startGate();
});

afterAll(async () => {
  gate?.close();
  await emulator?.close();
});

it("has the program and what it needs, and nothing of development", async () => {
  const look = `
    const { existsSync, readdirSync } = require("node:fs");
    const has = (name) => existsSync("/app/node_modules/" + name);
    const heapMiB = require("node:v8").getHeapStatistics().heap_size_limit / 2 ** 20;
    console.log(JSON.stringify({ uid: process.getuid(), fits: heapMiB < 150, app: readdirSync("/app").sort(),
      dev: ["vitest", "typescript", "node", "@biomejs/biome", "playwright-core", "dynalite"].filter(has),
      needed: ["pino", "commander", "@aws-sdk/client-codepipeline"].filter(has) }))`;
  const seen = await run("run", "--rm", "--network", "none", ...locked, "--entrypoint", "node", image, "-e", look);
  expect(JSON.parse(seen)).toEqual({
    uid: 1000,
    fits: true,
    app: ["LICENSE", "config", "dist", "node_modules", "package.json"],
    dev: [],
    needed: ["pino", "commander", "@aws-sdk/client-codepipeline"],
  });
  expect(await run("run", "--rm", "--network", "none", ...locked, image, "version")).toBe(version);
  expect(await inspect(image, `index .Config.Labels "org.opencontainers.image.version"`)).toBe(version);
  const sizes = (await Promise.all([inspect(image, ".Size"), inspect(base, ".Size")])).map(
    (size) => Number(size) / 1e6,
  );
  console.log(`image: ${sizes[0]?.toFixed(0)} MB, of which the base has ${sizes[1]?.toFixed(0)} MB`);
});

it("has a package that only a fleet needs, when it is built for one", async () => {
  const named = /OPTIONAL_PACKAGES=(\S+@[\d.]+)/.exec(
    readFileSync(new URL("../../docs/deploying.md", import.meta.url), "utf8"),
  )?.[1];
  const root = fileURLToPath(new URL("../..", import.meta.url));
  await run("build", "--network", "host", "--build-arg", `OPTIONAL_PACKAGES=${named}`, "-t", "partnerd:fleet", root);
  const look = ["--entrypoint", "node", "--workdir", "/app", "partnerd:fleet", "-p"];
  const script = 'require("@aws-sdk/client-dynamodb/package.json").version';
  expect(`@aws-sdk/client-dynamodb@${await run("run", "--rm", "--network", "none", ...look, script)}`).toBe(named);
});

it("shows itself to a newcomer, without a network", async () => {
  const shown = await run("run", "--rm", "--network", "none", ...locked, image, "demo", "--jobs", "5");
  expect(shown).toMatch(/All as it should be/);
});

it("works the jobs of the service beside it, locked down, and is healthy", async () => {
  const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
  const port = await freePort();
  const service = fileURLToPath(new URL("../../config/examples/http-service/service.mts", import.meta.url));
  onTestFinished(async () => void (await run("rm", "--force", "partnerd-scan")));
  await run(
    ...["run", "--detach", "--name", "partnerd-scan", "--network", "host", "--user", "1000:1000", ...locked],
    ...["--env", `WEBHOOK_SECRET=${secret}`, "--env", `PORT=${port}`, "--volume", `${service}:/srv/service.mts:ro`],
    ...[base, "node", "/srv/service.mts"],
  );
  const handlers = { only: { kind: "http", url: `http://127.0.0.1:${port}/jobs`, secret } };
  const { name, health } = await start("partnerd-beside", { handlers });
  const done = await emulator.waitForJob(job("scan"), "over");
  expect(done).toMatchObject({ status: "Succeeded", counts: { acknowledges: 1, results: 1 } });
  await until(name, health, "healthy");
});

it("drains at SIGTERM: the job that runs is reported, and it ends in 0", async () => {
  const { name, logs } = await start("partnerd-drain");
  const id = job("wait");
  await gate.arrived();
  const stopped = run("stop", "--time", "50", name);
  await until(name, logs, /"drain-started"/);
  gate.open();
  await stopped;
  expect(emulator.job(id)?.status).toBe("Succeeded");
  expect(await inspect(name, ".State.ExitCode")).toBe("0");
  expect(await logs()).toMatch(/"stopped","owed":0/);
});

it("works a thousand jobs, fifty at once, and is asked for its health, within its memory", async () => {
  const { name, health } = await start("partnerd-load", { worker: { maxConcurrentJobs: 50 } });
  const ids = emulator.addJobs({ actionType: thirdParty, configuration: { Do: "work" }, count: 1_000 });
  for (const id of ids) expect((await emulator.waitForJob(id, "over", { limitMs: 60_000 })).status).toBe("Succeeded");
  await until(name, health, "healthy");
  console.log(`memory under load, the health checks included: ${peakOf(await inspect(name, ".Id"))}`);
  await run("stop", "--time", "50", name);
  expect(await inspect(name, ".State.ExitCode")).toBe("0");
  expect(await inspect(name, ".State.OOMKilled")).toBe("false");
}, 120_000);

it("comes back after a crash with its ledger, and pays the result that it owed", async () => {
  const { name, logs } = await start("partnerd-crash", {}, ["--restart", "on-failure"]);
  const outage = emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const id = job("quick");
  await until(name, logs, /"call-retried".*PutThirdPartyJobSuccessResult/);
  process.kill(Number(await inspect(name, ".State.Pid")), "SIGKILL");
  await until(name, () => inspect(name, ".RestartCount"), "1");
  outage.remove();
  const done = await emulator.waitForJob(id, "over");
  expect(done).toMatchObject({ status: "Succeeded", counts: { acknowledges: 1, results: 1 } });
});

it("turns unhealthy when its loop is dead", async () => {
  // In a thread of its own the handler could block nothing but itself.
  const handlers = { only: { kind: "module", path: "./handler.mjs", isolation: "none" } };
  const { name, health } = await start("partnerd-dead", { handlers });
  await until(name, health, "healthy");
  job("block");
  await gate.arrived();
  gate.open();
  await until(name, health, "unhealthy");
  expect(await inspect(name, "json .State.Health.Log")).toMatch(/unhealthy: .* did not answer within/);
});

it("says what is missing when it has no place for its ledger", async () => {
  const { name, logs } = await start("partnerd-homeless", { ledger: { store: "sqlite", path: "/app/partnerd.db" } });
  await until(name, () => inspect(name, ".State.Status"), "exited");
  expect(await inspect(name, ".State.ExitCode")).toBe("1");
  expect(await logs()).toMatch(/"start-failed".*\/app\/partnerd\.db/);
});

/** The most memory that a container had at once; with either kind of cgroups. */
function peakOf(id: string): string {
  for (const path of [`memory/docker/${id}/memory.max_usage_in_bytes`, `docker/${id}/memory.peak`]) {
    try {
      return `${(Number(readFileSync(`/sys/fs/cgroup/${path}`, "utf8")) / 2 ** 20).toFixed(0)} MiB at most`;
    } catch {
      // The other kind, or another place for it.
    }
  }
  return "unknown on this machine";
}
