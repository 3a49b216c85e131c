// Promise: a browser is shown one job's page and the history of ended jobs, a program the same as JSON; both outlive a
// restart with a durable ledger, neither has a secret, and a search is a plain link.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, it, onTestFinished } from "vitest";
import { jobStorySchema } from "../../src/admin/job-story.js";
import type { Config } from "../../src/config/config.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { startDynamo } from "../support/dynamo.js";
import { custom, freePort, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";
import { cli } from "../unit/cli/io.js";

const secret = "hunter2-of-the-customer";
const history = { maxJobs: 1_000, maxAgeMs: 86_400_000 };
const isStory = new Ajv2020({ strict: true, formats: { "date-time": true } }).compile(jobStorySchema);
const browser = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly policy: string;
}

async function get(rig: Rig, path: string, headers: Record<string, string> = browser): Promise<Page> {
  const answer = await fetch(`${rig.daemon.adminUrl}${path}`, { headers });
  const [type, policy] = ["content-type", "content-security-policy"].map((name) => answer.headers.get(name) ?? "");
  return { status: answer.status, type: type ?? "", text: await answer.text(), policy: policy ?? "" };
}

async function json(rig: Rig, path: string): Promise<Record<string, unknown>> {
  const { type, text } = await get(rig, path, { accept: "*/*" });
  expect(type).toContain("application/json");
  return JSON.parse(text) as Record<string, unknown>;
}

/** What a person reads of a page. */
function read(text: string): string {
  return text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

async function withPages(options: RigOptions & { readonly ledger?: Config["ledger"] } = {}): Promise<Rig> {
  const { ledger = { store: "memory", history }, ...rest } = options;
  const actionTypes = [thirdParty, { ...custom, secretProperties: ["ApiKey"] }];
  const config = { admin: { host: "127.0.0.1", port: await freePort() }, ledger };
  return startRig({ actionTypes, ...rest, config });
}

/** Daemons, one after the other, on one ledger and one CodePipeline. */
async function generations(ledger: Config["ledger"], handle: NonNullable<RigOptions["handle"]>) {
  const emulator: Emulator = await startEmulator({ settings: { continuationDelayMs: 1 } });
  onTestFinished(() => emulator.close());
  const start = async () => {
    const rig = await withPages({ ledger, handle, sharedEmulator: emulator });
    onTestFinished(() => rig[Symbol.asyncDispose]());
    return rig;
  };
  return { emulator, start };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-pages-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const pipeline = { name: "shop", stage: "Make", action: "Build" };

it("shows a running job to a browser, without its secrets, and the same as JSON to a program", async () => {
  const gate = new Gate();
  await using rig = await withPages({
    handle: async (job: HandlerJob) => {
      job.log.info(`the key is ${job.configuration["ApiKey"]} <b>`);
      await gate.enter();
      return { kind: "succeeded", summary: "built" };
    },
  });
  const configuration = { ApiKey: secret, Target: `https://u:${secret}@host/` };
  const id = rig.emulator.addJob({ actionType: custom, configuration, pipeline });
  await gate.waiting(1);
  const page = await get(rig, `/jobs/${id.slice(0, 8)}`);
  expect([page.status, page.type]).toEqual([200, "text/html; charset=utf-8"]);
  expect(page.policy).toContain("default-src 'none'");
  expect(page.text).not.toMatch(/<script(?![^>]* src="\/)|\son\w+=|style="/);
  const text = read(page.text);
  expect(text).toContain(`Job ${id.slice(0, 8)} is running`);
  for (const part of [id, "Custom/Build/Acme-Build/1", "scripted", "shop / Make / Build", "acknowledging", "Target"])
    expect(text).toContain(part);
  expect(text).toContain("the key is [secret] &lt;b&gt;");
  expect(text).toContain("https://u:[secret]@host/");
  expect(page.text).toMatch(/data-stream="\/job-events\?job=us-east-1%2F/);
  const story = await json(rig, `/jobs/${id}`);
  expect(isStory(story), JSON.stringify(isStory.errors)).toBe(true);
  expect(story).toMatchObject({ state: "running", configuration: [{ name: "ApiKey", value: "[secret]" }, {}] });
  gate.release();
  await rig.event("job-reported");
  const done = await get(rig, `/jobs/${id}`);
  expect(read(done.text)).toContain(`Job ${id.slice(0, 8)} succeeded built`);
  expect(done.text).not.toContain("data-stream");
  expect(page.text + done.text + JSON.stringify(story)).not.toContain(secret);
});

it("lists the jobs that an id may mean, and says of which nothing is known", async () => {
  await using rig = await withPages();
  const ids = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"];
  rig.emulator.addJobs({ actionType: custom, ids });
  for (const id of ids) await rig.event("job-reported", ({ key }) => key.jobId === id);
  const several = await get(rig, "/jobs/aaaa");
  expect(several.status).toBe(409);
  for (const id of ids) expect(several.text).toContain(`href="/jobs/${id}?region=us-east-1"`);
  expect(await json(rig, "/jobs/aaaa")).toMatchObject({ kind: "ambiguous" });
  const none = await get(rig, "/jobs/%3Cimg%20src=x%3E");
  expect([none.status, none.text.includes("<img")]).toEqual([404, false]);
  expect(await json(rig, "/jobs/bbbb")).toMatchObject({ kind: "unknown-job" });
});

const ledgers = {
  sqlite: async (): Promise<Config["ledger"]> => ({ store: "sqlite", path: join(temporaryFolder(), "l.db"), history }),
  dynamodb: async (): Promise<Config["ledger"]> => {
    const dynamo = await startDynamo();
    onTestFinished(() => dynamo.close());
    const table = await dynamo.createTable();
    return { store: "dynamodb", table, region: "us-east-1", endpoint: dynamo.endpoint, leaseMs: 60_000, history };
  },
};

it.each(["sqlite", "dynamodb"] as const)(
  "tells of ended jobs and their chain after a restart, by %s",
  async (store) => {
    const ledger = await ledgers[store]();
    const gate = new Gate();
    const { emulator, start } = await generations(ledger, async ({ configuration, continuationToken }) => {
      if (configuration["as"] === "fails") return { kind: "failed", type: "PermissionError", message: `no ${secret}` };
      await gate.enter();
      if (continuationToken === undefined) return { kind: "continued", continuationToken: "2", percentComplete: 40 };
      return { kind: "succeeded", summary: "built", outputVariables: { Key: secret } };
    });
    const first = await start();
    const failed = emulator.addJob({ actionType: custom, configuration: { as: "fails", ApiKey: secret }, pipeline });
    await first.event("job-reported", ({ key }) => key.jobId === failed);
    const begun = emulator.addJob({ actionType: custom, configuration: { ApiKey: secret }, pipeline });
    await gate.waiting(1);
    // What continues it is for the next process.
    first.daemon.worker.pause();
    gate.release();
    await first.event("job-reported", ({ key }) => key.jobId === begun);
    await first.stop();

    const second = await start();
    await gate.waiting(1);
    const continued = emulator.lastJob(begun)?.id ?? "";
    const story = await json(second, `/jobs/${failed.slice(0, 13)}`);
    expect(isStory(story), JSON.stringify(isStory.errors)).toBe(true);
    expect(story).toMatchObject({
      source: "ledger",
      jobId: failed,
      state: "reported",
      handler: "scripted",
      pipelineName: "shop",
      stageName: "Make",
      actionName: "Build",
      cause: "returned",
      outcome: { kind: "failed", type: "PermissionError", message: "no [secret]" },
      reported: { attempts: 1 },
    });
    const states = (story["states"] as { state: string }[]).map(({ state }) => state);
    expect(states).toEqual(["polled", "detailed", "acknowledging", "running", "settled", "reported"]);
    const page = await get(second, `/jobs/${failed}`);
    expect(read(page.text)).toContain(`Job ${failed.slice(0, 8)} failed PermissionError: no [secret]`);
    // A running job shows the job before it, which another process ended.
    const running = await json(second, `/jobs/${continued}`);
    const chain = [
      { jobId: begun, end: "continued", percentComplete: 40 },
      { jobId: continued, end: "running" },
    ];
    expect(running).toMatchObject({ source: "daemon", chain });
    expect((await get(second, `/jobs/${continued}`)).text).toContain(`href="/jobs/${begun}?region=us-east-1"`);
    gate.release();
    await second.event("job-reported", ({ key }) => key.jobId === continued);
    const ended = [{ ...chain[0] }, { jobId: continued, end: "succeeded" }];
    expect(await json(second, `/jobs/${begun}`)).toMatchObject({ source: "ledger", chain: ended });
    const list = await json(second, "/history");
    expect((list["jobs"] as { jobId: string }[]).map(({ jobId }) => jobId)).toEqual([continued, begun, failed]);
    const pages = [await get(second, "/history"), await get(second, `/jobs/${begun}`), page];
    expect(JSON.stringify([list, running, story, pages])).not.toContain(secret);
  },
);

it("searches by what stands in the address, page by page, and shows hostile words as words", async () => {
  await using rig = await withPages({
    handle: ({ configuration: { as } }: HandlerJob) =>
      as === "fails" ? { kind: "failed", message: "<img src=x>" } : { kind: "succeeded" },
  });
  const failed = rig.emulator.addJob({ actionType: custom, configuration: { as: "fails" }, pipeline });
  await rig.event("job-reported");
  rig.emulator.addJobs({ actionType: thirdParty, count: 60 });
  await rig.event("job-reported", () => rig.count("job-reported") === 61);
  const only = await get(rig, "/history?outcome=failed&type=Acme-Build&pipeline=sh");
  expect([only.status, only.type]).toEqual([200, "text/html; charset=utf-8"]);
  expect(only.text.match(/<tr role="row" data-key/g)).toHaveLength(1);
  expect(only.text).toContain(`href="/jobs/${failed}?region=us-east-1"`);
  expect(only.text).toContain("&lt;img src=x&gt;");
  expect(only.text).toMatch(/<option value="failed" selected>.*name="type" value="Acme-Build"/s);
  const rows = async (path: string) => {
    const { text } = await get(rig, path);
    const next = /<a href="([^"]*)" rel="next">/.exec(text)?.[1]?.replaceAll("&amp;", "&");
    return { count: text.match(/<tr role="row" data-key/g)?.length ?? 0, next };
  };
  const newest = await rows("/history");
  expect(newest).toEqual({ count: 50, next: expect.stringMatching(/^\/history\?before=/) });
  expect(await rows(newest.next ?? "")).toEqual({ count: 11, next: undefined });
  const bad = await get(rig, "/history?outcome=%3Cimg%3E&job=%22%3E%3Cimg%3E&before=%00");
  expect([bad.status, bad.text.includes("<img")]).toEqual([400, false]);
  expect(bad.text).toContain(
    "there is no outcome &quot;&lt;img&gt;&quot;; there are succeeded, continued, failed, dropped",
  );
  const few = await json(rig, "/history?limit=2");
  expect(few).toMatchObject({ jobs: [{ end: "succeeded" }, { end: "succeeded" }], next: expect.any(String) });
});

it("says that the ledger cannot be read, and still shows what the daemon knows", async () => {
  const path = join(temporaryFolder(), "l.db");
  await using rig = await withPages({ ledger: { store: "sqlite", path, history } });
  const id = rig.emulator.addJob({ actionType: custom });
  await rig.event("job-reported");
  rmSync(path);
  const page = await get(rig, "/history");
  expect([page.status, read(page.text)]).toEqual([503, expect.stringContaining("there is no ledger")]);
  expect((await get(rig, `/jobs/${id.slice(0, 8)}`)).status).toBe(200);
  expect((await get(rig, "/jobs/bbbb")).status).toBe(503);
});

it("lists ended jobs on the command line, beside the daemon and without it", async () => {
  const directory = temporaryFolder();
  const path = join(directory, "l.db");
  await using rig = await withPages({
    ledger: { store: "sqlite", path, history },
    handle: ({ configuration: { as } }: HandlerJob) =>
      as === "fails" ? { kind: "failed", message: "no target" } : { kind: "succeeded" },
  });
  const failed = rig.emulator.addJob({ actionType: custom, configuration: { as: "fails" }, pipeline });
  await rig.event("job-reported");
  const good = rig.emulator.addJob({ actionType: custom });
  await rig.event("job-reported", ({ key }) => key.jobId === good);
  const configuration = {
    actionTypes: [{ ...custom, regions: ["us-east-1"], handler: "scripted" }],
    handlers: { scripted: { kind: "command", command: ["true"] } },
    ledger: { store: "sqlite", path },
    admin: { port: 0 },
  };
  writeFileSync(join(directory, "partnerd.yaml"), JSON.stringify(configuration));
  for (const end of [async () => {}, rig.stop]) {
    await end();
    const all = await cli(["jobs", "--ended", "--json"], directory);
    expect([all.code, all.err]).toEqual([0, ""]);
    expect((JSON.parse(all.out) as { jobId: string }[]).map(({ jobId }) => jobId)).toEqual([good, failed]);
    const some = await cli(["jobs", "--ended", "--outcome", "failed", "--pipeline", "shop"], directory);
    expect(some.out).toMatch(new RegExp(`^JOB +OUTCOME .*\n${failed} +failed \\(JobFailed\\) .* shop +no target\n$`));
    const one = await cli(["jobs", "show", failed.slice(0, 8)], directory);
    expect(one.out).toMatch(/\noutcome +failed \(returned after 0s\); type: JobFailed; message: no target\n/);
  }
  expect((await cli(["jobs", "--ended", "--limit", "1", "--json"], directory)).out).toContain(good);
  expect(await cli(["jobs", "--client", "x"], directory)).toMatchObject({ code: 64 });
  const strange = await cli(["jobs", "--ended", "--id", "nobody"], directory);
  expect(strange).toMatchObject({ code: 0, out: "the ledger remembers no ended job like that\n" });
});
