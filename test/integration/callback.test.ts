// Promise: a service may answer 202 and deliver the outcome later; only it can, only once, and only while it is waited for.
import { describe, expect, it, onTestFinished } from "vitest";
import type { HttpJobDocument } from "../../src/handlers/job-document.js";
import { Secret } from "../../src/job/secret.js";
import { type Behaviour, type Service, startService } from "../fixtures/handlers/service.js";
import { freePort, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

interface Stage {
  readonly rig: Rig;
  readonly service: Service;
  /** The callback that the n-th request came with, counted from 1. */
  readonly callback: (n: number) => Promise<Callback>;
}

interface Callback {
  readonly url: string;
  readonly token: string;
  readonly jobId: string;
}

const accepts: Behaviour = (_request, answer) => void answer.writeHead(202).end();

/** A daemon with an admin port and one http handler, whose service answers every job with 202. */
async function startStage(options: RigOptions & { jobTimeoutMs?: number; behaviour?: Behaviour } = {}): Promise<Stage> {
  const { jobTimeoutMs = 20_000, behaviour = accepts, config, ...rest } = options;
  const service = await startService({ jobs: behaviour });
  onTestFinished(() => service.close());
  const rig = await startRig({
    actionTypes: [{ ...thirdParty, handler: "scan", jobTimeoutMs }],
    ...rest,
    config: {
      handlers: { scan: { kind: "http", url: `${service.url}/jobs`, requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
      ...config,
    },
  });
  const callback = async (n: number) => callbackIn((await service.request(n)).body);
  return { rig, service, callback };
}

function callbackIn(body: string): Callback {
  const { callback, jobId } = JSON.parse(body) as HttpJobDocument;
  return { url: callback?.url ?? "none", token: callback?.token ?? "none", jobId };
}

async function deliver(
  to: { readonly url: string; readonly token?: string | undefined },
  body: unknown = { kind: "succeeded", summary: "scanned at last" },
): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/json", ...(to.token ? { authorization: `Bearer ${to.token}` } : {}) };
  const answer = await fetch(to.url, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

describe("a service that answered 202", () => {
  it("delivers the outcome later, over the admin port, and is told that it was taken", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const to = await callback(1);
    expect(to.url).toBe(`${rig.daemon.adminUrl}/jobs/${id}/outcome`);
    await rig.event("callback-awaited");
    expect(rig.emulator.job(id)?.counts.results).toBe(0);
    expect(await deliver(to)).toMatchObject({ status: 200 });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document).toEqual({ executionDetails: { summary: "scanned at last" } });
  });

  it.each([
    [
      { kind: "failed", type: "ConfigurationError", message: "no such target" },
      { failureDetails: { type: "ConfigurationError", message: "no such target" } },
    ],
    [{ kind: "continued", continuationToken: "later" }, { continuationToken: "later" }],
    [{ kind: "triumph" }, { failureDetails: { type: "JobFailed", message: expect.stringContaining("triumph") } }],
    [
      { kind: "continued" },
      { failureDetails: { type: "JobFailed", message: expect.stringContaining("without a continuationToken") } },
    ],
  ])("may deliver %o", async (outcome, document) => {
    const { rig, callback } = await startStage({ emulator: { settings: { continuationDelayMs: 60_000 } } });
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("callback-awaited");
    expect(await deliver(await callback(1), outcome)).toMatchObject({ status: 200 });
    expect((await rig.emulator.waitForJob(id, "over")).result?.document).toEqual(document);
  });

  it("may deliver before its 202 is out", async () => {
    const statuses: number[] = [];
    const { rig } = await startStage({
      behaviour: async (request, answer) => {
        statuses.push((await deliver(callbackIn(request.body))).status);
        answer.writeHead(202).end();
      },
    });
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(job.results).toHaveLength(1);
    expect(statuses).toEqual([200]);
  });

  it("may deliver although its own answer was lost", async () => {
    const { rig, service } = await startStage({
      behaviour: async (request, answer) => {
        await deliver(callbackIn(request.body));
        answer.socket?.resetAndDestroy();
      },
    });
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(service.requests).toHaveLength(1);
  });

  it("hears 401 with a wrong token, none, or another job's, and the job still waits for the right one", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const [id = "", other = ""] = rig.emulator.addJobs({ actionType: thirdParty, count: 2 });
    await rig.emulator.waitFor(() => rig.count("callback-awaited") === 2);
    const both = [await callback(1), await callback(2)];
    const [mine, theirs] = [both.find(({ jobId }) => jobId === id), both.find(({ jobId }) => jobId === other)];
    if (!mine || !theirs) throw new Error("two jobs, two callbacks");
    for (const token of ["wrong", undefined, theirs.token, `${mine.token}x`, mine.token.slice(1)]) {
      const answer = await deliver({ url: mine.url, token });
      expect(answer.status).toBe(401);
      expect(answer.text).not.toContain(mine.token);
    }
    expect(rig.emulator.counts().InProgress).toBe(2);
    expect((await deliver(mine)).status).toBe(200);
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(rig.emulator.job(other)?.status).toBe("InProgress");
  });

  it.each(["paused", "draining"])("is heard while the daemon is %s: not ready, but alive", async (state) => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const to = await callback(1);
    await rig.event("callback-awaited");
    if (state === "paused") rig.daemon.worker.pause();
    else void rig.daemon.worker.stop();
    const probes = ["/livez", "/readyz"].map(async (path) => (await fetch(rig.daemon.adminUrl + path)).status);
    expect(await Promise.all(probes)).toEqual([200, 503]);
    expect(await deliver(to)).toMatchObject({ status: 200 });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  });

  it("hears 404 for a job that nobody waits for", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    rig.emulator.addJob({ actionType: thirdParty });
    const { token } = await callback(1);
    expect((await deliver({ url: `${rig.daemon.adminUrl}/jobs/never-heard-of/outcome`, token })).status).toBe(404);
  });

  it("hears 409 when it delivers again, and the first outcome stands", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("callback-awaited");
    const to = await callback(1);
    expect((await deliver(to)).status).toBe(200);
    expect((await deliver(to, { kind: "failed", message: "second thoughts" })).status).toBe(409);
    const job = await rig.emulator.waitForJob(id, "over");
    expect((await deliver(to, { kind: "failed", message: "third thoughts" })).status).toBe(409);
    expect(job.status).toBe("Succeeded");
    expect(rig.emulator.job(id)?.results).toHaveLength(1);
  });

  it("is heard once when it delivers twenty times at once", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("callback-awaited");
    const to = await callback(1);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => deliver(to, { kind: "succeeded", summary: `${n}` })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 409)]);
    expect((await rig.emulator.waitForJob(id, "over")).results).toHaveLength(1);
  });

  it("hears 413 for a body that is too big and 400 for one that is no JSON, and may deliver a right one then", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const to = await callback(1);
    expect((await deliver(to, { kind: "succeeded", summary: "x".repeat(1024 * 1024) })).status).toBe(413);
    expect((await deliver(to, "no json")).status).toBe(400);
    expect((await deliver(to)).status).toBe(200);
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  });

  it("that never delivers fails the job at its deadline, truthfully, and hears 404 afterwards", async () => {
    const { rig, callback } = await startStage({ jobTimeoutMs: 600 });
    await using _rig = rig;
    const id = rig.emulator.addJob({ actionType: thirdParty });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.result?.document).toEqual({
      failureDetails: {
        type: "JobFailed",
        message: expect.stringMatching(/answered 202 but delivered no outcome/),
      },
    });
    expect((await deliver(await callback(1))).status).toBe(404);
    expect(rig.emulator.job(id)?.results).toHaveLength(1);
  });

  it("holds a slot for each job that it works for, and hands each back", async () => {
    const { rig, callback } = await startStage({ config: { worker: { maxConcurrentJobs: 2 } } });
    await using _rig = rig;
    const ids = rig.emulator.addJobs({ actionType: thirdParty, count: 6 });
    for (let n = 1; n <= ids.length; n++) {
      expect((await deliver(await callback(n))).status).toBe(200);
    }
    await rig.emulator.waitFor(() => rig.emulator.counts().Succeeded === ids.length);
  });

  it("shows its token to nobody but the service", async () => {
    const { rig, callback } = await startStage();
    await using _rig = rig;
    rig.emulator.addJob({ actionType: thirdParty });
    const { token, url } = await callback(1);
    await rig.event("callback-awaited");
    await deliver({ url, token: "wrong" });
    const status = await (await fetch(`${rig.daemon.adminUrl}/status`)).text();
    expect(status).toContain("running");
    await deliver({ url, token }, { kind: "failed", message: `used ${token}` });
    await rig.event("job-reported");
    for (const text of [status, ...rig.rawLogs, JSON.stringify(rig.events), JSON.stringify(rig.emulator.jobs())]) {
      expect(text).not.toContain(token);
    }
  });
});

it("tells a service without a callback that it must answer at once, when there is no admin port", async () => {
  const { rig, service } = await startStage({ config: { admin: { host: "127.0.0.1", port: 0 } } });
  await using _rig = rig;
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const job = await rig.emulator.waitForJob(id, "over");
  expect(JSON.parse(service.requests[0]?.body ?? "{}")).not.toHaveProperty("callback");
  expect(job.result?.document).toEqual({
    failureDetails: { type: "JobFailed", message: expect.stringContaining("no admin port") },
  });
});

it("gives the public address, when one is set, to services on other machines", async () => {
  const publicUrl = "https://partnerd.example.com/base";
  const port = await freePort();
  const { rig, callback } = await startStage({
    config: { admin: { host: "127.0.0.1", port, publicUrl, token: new Secret("admin-token-of-the-test") } },
  });
  await using _rig = rig;
  const id = rig.emulator.addJob({ actionType: thirdParty });
  const { url, token } = await callback(1);
  expect(url).toBe(`${publicUrl}/jobs/${id}/outcome`);
  expect((await deliver({ url: url.replace(publicUrl, `http://127.0.0.1:${port}`), token })).status).toBe(200);
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});
