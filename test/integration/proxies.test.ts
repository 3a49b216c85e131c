// Promise: everything that leaves this machine goes by the proxy that the environment names, and by nothing else; what a
// proxy says by itself ends no claim, no job and no result.
import { writeFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { answersJson, startService } from "../fixtures/handlers/service.js";
import { artifactsIn } from "../support/artifact-limits.js";
import { type Dynamo, dynamoRegion, startDynamo } from "../support/dynamo.js";
import { moduleHandler } from "../support/module-handler.js";
import { proxyPassword, startProxy, type TestProxy } from "../support/proxy.js";
import {
  custom,
  freePort,
  Gate,
  type Rig,
  type RigOptions,
  scriptedHandler,
  startRig,
  thirdParty,
} from "../support/rig.js";
import { believeEveryCertificate, startTlsFront } from "../support/tls-front.js";

let dynamo: Dynamo;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());
beforeEach(() => {
  believeEveryCertificate();
});

const portIn = (url: string) => Number(new URL(url).port);

/** An STS that gives credentials to everybody, and remembers for what. */
async function startSts() {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push(new URLSearchParams(body).get("Action") ?? "");
    const credentials =
      "<Credentials><AccessKeyId>AKIATESTTESTTESTTEST</AccessKeyId><SecretAccessKey>k</SecretAccessKey>" +
      "<SessionToken>t</SessionToken><Expiration>2120-01-01T00:00:00Z</Expiration></Credentials>";
    const name = asked.at(-1);
    const result = `<${name}Response><${name}Result>${credentials}</${name}Result></${name}Response>`;
    response.writeHead(200, { "content-type": "text/xml", "x-amzn-requestid": "1" }).end(result);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { asked, port: (server.address() as AddressInfo).port };
}

interface World {
  readonly emulator: Emulator;
  readonly sts: { readonly asked: readonly string[] };
  /** By the names that only the proxy knows. */
  readonly ports: Readonly<Record<string, number>>;
}

/** All that a daemon talks to, behind TLS or not. */
async function startWorld(isTls: boolean): Promise<World> {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  // What is offered while a call runs out of time comes again soon.
  emulator.configure({ redeliveryMs: 5_000 });
  const service = await startService({ jobs: answersJson(200, { kind: "succeeded", summary: "by the service" }) });
  onTestFinished(() => service.close());
  const sts = await startSts();
  const plain = {
    "codepipeline.test": portIn(emulator.url),
    "s3.test": portIn(emulator.url),
    "sts.test": sts.port,
    "dynamodb.test": portIn(dynamo.endpoint),
    "scan.test": portIn(service.url),
  };
  const fronts = Object.entries(plain).map(async ([host, port]) => [host, isTls ? await startTlsFront(port) : port]);
  return { emulator, sts, ports: Object.fromEntries(await Promise.all(fronts)) };
}

/** A daemon whose every call leaves the machine, by credentials that STS gives. `at` says where a name is asked for. */
async function startOutside(
  world: World,
  at: (host: string) => string,
  environment: Readonly<Record<string, string>>,
  options: RigOptions & { readonly hasKeys?: boolean } = {},
): Promise<Rig> {
  const table = await dynamo.createTable();
  return startRig({
    sharedEmulator: world.emulator,
    environment,
    aws: { endpoint: at("codepipeline.test") },
    actionTypes: [
      { ...thirdParty, handler: "service" },
      { ...custom, handler: "scripted" },
    ],
    handle: copies,
    ...options,
    inFolder: (folder) => {
      if (!options.hasKeys) assumeRole(folder, at("sts.test"));
      return {
        artifacts: { ...artifactsIn(join(folder, "work")), endpoint: at("s3.test") },
        ledger: { store: "dynamodb", table, region: dynamoRegion, endpoint: at("dynamodb.test"), leaseMs: 600_000 },
        handlers: {
          scripted: moduleHandler(scriptedHandler),
          service: { kind: "http", url: `${at("scan.test")}jobs`, requestTimeoutMs: 5_000 },
        },
        ...options.inFolder?.(folder),
      };
    },
  });
}

/** Until the test ends. */
function assumeRole(folder: string, sts: string): void {
  writeFileSync(join(folder, "token"), "eyJ.no.token");
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/partnerd");
  vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", join(folder, "token"));
  vi.stubEnv("AWS_ENDPOINT_URL_STS", sts);
}

async function copies(job: HandlerJob) {
  const text = await readFile(join(await job.input("Source"), "a.txt"), "utf8");
  const folder = join(await job.folder(), "report");
  await mkdir(folder);
  await writeFile(join(folder, "b.txt"), text);
  await job.output("Report", "report");
  return { kind: "succeeded" };
}

/** One job of each kind: with artifacts for the module, without any for the service. */
function addJobs({ emulator }: World): readonly string[] {
  const inputs = [{ name: "Source", files: { "a.txt": "copied" } }];
  return [
    emulator.addJob({ actionType: thirdParty }),
    emulator.addJob({ actionType: custom, inputs, outputs: [{ name: "Report" }] }),
  ];
}

async function allSucceed(rig: Rig, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document).not.toHaveProperty("failureDetails");
    expect(job.status).toBe("Succeeded");
    expect(job.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
    await rig.event("job-reported", ({ key }) => key.jobId === id);
  }
  expect(rig.count("result-refused")).toBe(0);
  expect(rig.count("job-dropped")).toBe(0);
}

const hostsIn = (proxy: TestProxy) => new Set(proxy.asked.map((each) => /([\w.]+\.test)/.exec(each)?.[1]));
const hosts = ["codepipeline.test", "s3.test", "sts.test", "dynamodb.test", "scan.test"];

const ways = [
  ["https", true],
  ["http", false],
] as const;
describe.each(ways)("%s", (protocol, isTls) => {
  const named = (host: string) => `${protocol}://${host}/`;
  const variable = `${protocol.toUpperCase()}_PROXY`;

  it.each([false, true])("goes by a proxy that wants a password: %s", async (isGuarded) => {
    const world = await startWorld(isTls);
    const proxy = await startProxy((host) => world.ports[host] ?? 1, { isGuarded });
    await using rig = await startOutside(world, named, { [variable]: proxy.url });
    const ids = addJobs(world);
    await allSucceed(rig, ids);
    expect(hostsIn(proxy)).toEqual(new Set(hosts));
    expect(world.sts.asked).toContain("AssumeRoleWithWebIdentity");
    await rig.stop();
    await expect.poll(() => proxy.connections).toBe(0);
    expect(rig.rawLogs.join("")).not.toContain(proxyPassword);
  });

  it("goes by no proxy where NO_PROXY names the host", async () => {
    const world = await startWorld(isTls);
    const proxy = await startProxy(() => 1);
    // Not loopback, but Linux leads it to this machine.
    const direct = (host: string) => `${protocol}://0.0.0.0:${world.ports[host]}/`;
    await using rig = await startOutside(world, direct, { [variable]: proxy.url, no_proxy: "10.0.0.0/8, 0.0.0.0" });
    await allSucceed(rig, addJobs(world));
    expect(proxy.asked).toEqual([]);
    expect(world.sts.asked).toContain("AssumeRoleWithWebIdentity");
  });

  it("goes by no proxy on this machine", async () => {
    const world = await startWorld(isTls);
    const proxy = await startProxy(() => 1);
    const local = (host: string) => `${protocol}://127.0.0.1:${world.ports[host]}/`;
    await using rig = await startOutside(world, local, { [variable]: proxy.url });
    await allSucceed(rig, addJobs(world));
    expect(proxy.asked).toEqual([]);
  });

  const kinds = [
    [407, "denied"],
    [403, "denied"],
    [429, "throttled"],
    [502, "unavailable"],
    [503, "unavailable"],
    ["drop", "unavailable"],
    ["garbage", "unavailable"],
    ["hang", "unavailable"],
  ] as const;
  /** The ledger is on this machine: a fleet's own outage is the promise of other tests. */
  const withLocalLedger: RigOptions = { inFolder: () => ({ ledger: { store: "memory" } }) };

  it.each(kinds)("outlasts a proxy that answers polls and credentials by itself (%s)", async (instead) => {
    const world = await startWorld(isTls);
    const proxy = await startProxy((host) => world.ports[host] ?? 1);
    proxy.instead = instead;
    const impatient = {
      aws: { endpoint: named("codepipeline.test"), connectionTimeoutMs: 100, requestTimeoutMs: 150 },
    };
    await using rig = await startOutside(world, named, { [variable]: proxy.url }, { ...withLocalLedger, ...impatient });
    const ids = addJobs(world);
    await rig.event("poll-failed");
    proxy.instead = undefined;
    await allSucceed(rig, ids);
  });

  it.each(kinds)("owes a result until the proxy that answers %s by itself lets it through", async (instead, kind) => {
    const world = await startWorld(isTls);
    const proxy = await startProxy((host) => world.ports[host] ?? 1);
    const gate = new Gate();
    const handle = async (job: HandlerJob) => {
      await gate.enter();
      return copies(job);
    };
    const impatient = {
      aws: { endpoint: named("codepipeline.test"), connectionTimeoutMs: 300, requestTimeoutMs: 300 },
    };
    const options = { ...withLocalLedger, ...impatient, handle, hasKeys: true };
    await using rig = await startOutside(world, named, { [variable]: proxy.url }, options);
    const [, id = ""] = addJobs(world);
    await gate.waiting(1);
    const settled = rig.event("job-settled", ({ key }) => key.jobId === id);
    const puts = world.emulator.fault({ kind: "unavailable", operations: ["PutJobSuccessResult"] });
    gate.release();
    await settled;
    proxy.instead = instead;
    puts.remove();
    const retried = await rig.event(
      "call-retried",
      ({ key, fault, attempt }) => key.jobId === id && attempt > 2 && fault.kind === kind,
    );
    expect(retried.fault.message).not.toContain("not sent");
    proxy.instead = undefined;
    const job = await world.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(job.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
    await rig.event("job-reported", ({ key }) => key.jobId === id);
    expect(rig.count("job-dropped")).toBe(0);
  });

  it.each([407, 503, "drop"] as const)("uploads again what the proxy let not through (%s)", async (instead) => {
    const world = await startWorld(isTls);
    const proxy = await startProxy((host) => world.ports[host] ?? 1);
    const gate = new Gate();
    const handle = async (job: HandlerJob) => {
      await job.input("Source");
      await gate.enter();
      return copies(job);
    };
    await using rig = await startOutside(
      world,
      named,
      { [variable]: proxy.url },
      { ...withLocalLedger, handle, hasKeys: true },
    );
    const [, id = ""] = addJobs(world);
    await gate.waiting(1);
    proxy.instead = instead;
    const before = proxy.asked.length;
    gate.release();
    await expect
      .poll(() => proxy.asked.slice(before).filter((each) => each.includes("s3.test")).length)
      .toBeGreaterThan(1);
    proxy.instead = undefined;
    await allSucceed(rig, [id]);
    expect(rig.emulator.lastJob(id)?.outputs[0]?.uploaded).toMatchObject({ byJob: id });
  });

  it("waits for a proxy that is down, and says that it is the proxy", async () => {
    const world = await startWorld(isTls);
    const port = await freePort();
    const environment = { [variable]: `http://jo:${encodeURIComponent(proxyPassword)}@127.0.0.1:${port}` };
    await using rig = await startOutside(world, named, environment, { ...withLocalLedger, hasKeys: true });
    const { fault } = await rig.event("poll-failed", (event) => event.fault.code === "ECONNREFUSED");
    expect(fault).toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining(`the proxy 127.0.0.1:${port}`),
    });
    const ids = addJobs(world);
    await startProxy((host) => world.ports[host] ?? 1, { port });
    await allSucceed(rig, ids);
    expect(rig.rawLogs.join("")).not.toContain(proxyPassword);
  });
});
