// Promise: what a daemon held when it was killed, the next start brings to its end: nothing is lost, worked twice, or
// reported otherwise than it was settled. The dead daemon is its ledger, and what the emulator knows of it.
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/config.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { Settings } from "../../src/emulator/emulator-settings.js";
import type { ActionType, ClientId, JobId, JobKey, Nonce, Region } from "../../src/job/job.js";
import type { JobEvent } from "../../src/job/lifecycle.js";
import { failed, succeeded } from "../../src/job/outcome.js";
import { systemClock } from "../../src/std/clock.js";
import { Deadline } from "../../src/std/deadline.js";
import { call } from "../support/emulator-client.js";
import { moduleHandler } from "../support/module-handler.js";
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
import { openSqlite } from "../support/sqlite.js";

/** How far the dead daemon had come with a job. */
type Left = "acknowledging" | "acknowledged" | "running" | "settled" | "put";
type Held = { readonly id: string; readonly nonce: string; readonly key: JobKey };

const flavours = [thirdParty, custom] as const;
const answers = ["InProgress", "InvalidNonceException"] as const;
const kept = succeeded({ summary: "worked before the kill" });

class DeadDaemon {
  readonly emulator: Emulator;
  readonly path: string;

  private constructor(emulator: Emulator, path: string) {
    this.emulator = emulator;
    this.path = path;
  }

  static async make(settings: Partial<Settings> = {}): Promise<DeadDaemon> {
    const emulator = await startEmulator({ settings });
    const folder = mkdtempSync(join(tmpdir(), "partnerd-recovery-"));
    onTestFinished(async () => {
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const type of flavours) emulator.addActionType(type);
    return new DeadDaemon(emulator, join(folder, "ledger.db"));
  }

  /** A job as far as the daemon had come with it, in the ledger and at the emulator. */
  async leave(actionType: ActionType, left: Left, extra: readonly JobEvent[] = []): Promise<Held> {
    const held = await this.offer(actionType);
    const owner = actionType.owner;
    if (left !== "acknowledging") await this.#acknowledge(owner, held);
    if (left === "put") await this.#put(owner, held);
    await this.write(held, [...eventsUntil(left, held.nonce), ...extra]);
    return held;
  }

  /** Writes the ledger as a process that then dies: nothing is released. */
  async write(held: Held, events: readonly JobEvent[]): Promise<void> {
    await using ledger = await opened(this.path);
    const lease = await ledger.it.lease(held.key);
    if (!lease) throw new Error("the ledger gave no lease");
    for (const event of events) await ledger.it.record(lease, event);
  }

  /** Jobs that the ledger still holds, with their states. */
  async owed(): Promise<readonly string[]> {
    await using ledger = await opened(this.path);
    return (await ledger.it.unfinished()).map(({ lease }) => lease.state);
  }

  /** The next start. */
  rig(options: RigOptions = {}) {
    const config = { ledger: { store: "sqlite", path: this.path } as const, ...options.config };
    return startRig({ sharedEmulator: this.emulator, ...options, config });
  }

  /** A job that was polled, and no more. */
  async offer(actionTypeId: ActionType): Promise<Held> {
    const { url } = this.emulator;
    const id = this.emulator.addJob({ actionType: actionTypeId });
    const region = "us-east-1" as Region;
    const key = { region, actionType: actionTypeId, jobId: id as JobId };
    if (actionTypeId.owner === "Custom") {
      const { json } = await call(url, "PollForJobs", { actionTypeId, maxBatchSize: 1 });
      return { id, nonce: (json["jobs"] as { nonce: string }[])[0]?.nonce ?? "", key };
    }
    await call(url, "PollForThirdPartyJobs", { actionTypeId, maxBatchSize: 1 });
    const { clientId, clientToken } = this.emulator.defaultClient;
    const { json } = await call(url, "GetThirdPartyJobDetails", { jobId: id, clientToken });
    const nonce = (json["jobDetails"] as { nonce: string }).nonce;
    return { id, nonce, key: { ...key, clientId: clientId as ClientId } };
  }

  async #acknowledge(owner: string, { id, nonce }: Held): Promise<void> {
    const { clientToken } = this.emulator.defaultClient;
    const { code } =
      owner === "Custom"
        ? await call(this.emulator.url, "AcknowledgeJob", { jobId: id, nonce })
        : await call(this.emulator.url, "AcknowledgeThirdPartyJob", { jobId: id, nonce, clientToken });
    expect(code).toBe("ok");
  }

  async #put(owner: string, { id }: Held): Promise<void> {
    const { clientToken } = this.emulator.defaultClient;
    const executionDetails = { summary: kept.summary };
    const { code } =
      owner === "Custom"
        ? await call(this.emulator.url, "PutJobSuccessResult", { jobId: id, executionDetails })
        : await call(this.emulator.url, "PutThirdPartyJobSuccessResult", { jobId: id, clientToken, executionDetails });
    expect(code).toBe("ok");
  }
}

async function opened(path: string) {
  const it = await openSqlite(path);
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

function eventsUntil(left: Left, nonce: string): readonly JobEvent[] {
  const asked: readonly JobEvent[] = [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce: nonce as Nonce },
  ];
  if (left === "acknowledging" || left === "acknowledged") return asked;
  const running: readonly JobEvent[] = [...asked, { type: "acknowledge-accepted", claim: "ours" }];
  return left === "running" ? running : [...running, { type: "outcome-settled", outcome: kept }];
}

/** A handler that tells which jobs it was given. */
function counting() {
  const runs: string[] = [];
  return {
    runs,
    handle: (job: { readonly jobId: string }) => {
      runs.push(job.jobId);
      return succeeded({ summary: "worked after the kill" });
    },
  };
}

function summaryOf(emulator: Emulator, id: string): unknown {
  const details = emulator.job(id)?.result?.document["executionDetails"] as { summary?: string } | undefined;
  return details?.summary;
}

/** Exactly one result, nothing that contradicts it, and nothing that stays behind. */
async function endsClean(dead: DeadDaemon, rig: Awaited<ReturnType<typeof startRig>>, id: string): Promise<void> {
  const end = await rig.stop();
  expect(end).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  expect(dead.emulator.job(id)?.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
  expect(dead.emulator.violations()).toEqual([]);
  expect(await dead.owed()).toEqual([]);
}

describe.each(flavours)("a $owner job", (actionType) => {
  it("whose outcome was settled has that very outcome put, and is not worked again", async () => {
    const dead = await DeadDaemon.make();
    const { id } = await dead.leave(actionType, "settled");
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle });
    await rig.event("job-reported");
    expect(summaryOf(dead.emulator, id)).toBe(kept.summary);
    expect(runs).toEqual([]);
    await endsClean(dead, rig, id);
  });

  it("whose failure was settled fails with that very failure", async () => {
    const dead = await DeadDaemon.make();
    const outcome = failed("the scan found a hole", { type: "PermissionError" });
    const { id } = await dead.leave(actionType, "running", [{ type: "outcome-settled", outcome }]);
    await using rig = await dead.rig();
    await rig.event("job-reported");
    expect(dead.emulator.job(id)?.result?.document).toMatchObject({
      failureDetails: { type: "PermissionError", message: "the scan found a hole" },
    });
    await endsClean(dead, rig, id);
  });

  it.each(["InvalidJobStateException", "JobNotFoundException"] as const)(
    "whose result was taken just before the kill counts as reported when its put answers %s",
    async (putAfterEnd) => {
      const dead = await DeadDaemon.make({ putAfterEnd });
      const { id } = await dead.leave(actionType, "put");
      await using rig = await dead.rig();
      expect(await rig.event("job-reported")).toMatchObject({ isPresumed: true, key: { jobId: id } });
      expect(rig.count("job-dropped")).toBe(0);
      await endsClean(dead, rig, id);
    },
  );

  it("whose handler was at work fails as interrupted, and is not worked again", async () => {
    const dead = await DeadDaemon.make();
    const { id } = await dead.leave(actionType, "running");
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle });
    expect(await rig.event("job-settled")).toMatchObject({ cause: "interrupted" });
    await rig.event("job-reported");
    const document = dead.emulator.job(id)?.result?.document;
    expect(document).toMatchObject({
      failureDetails: {
        type: "SystemUnavailable",
        message: expect.stringContaining("terminated while this job was running"),
      },
    });
    expect(runs).toEqual([]);
    await endsClean(dead, rig, id);
  });

  it("whose handler was at work is worked again with afterCrash: rerun", async () => {
    const dead = await DeadDaemon.make();
    const { id } = await dead.leave(actionType, "running");
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle, actionTypes: [{ ...actionType, afterCrash: "rerun" }] });
    await rig.event("job-reported");
    expect(runs).toEqual([id]);
    expect(summaryOf(dead.emulator, id)).toBe("worked after the kill");
    await endsClean(dead, rig, id);
  });

  it.each(answers)(
    "whose acknowledgement was taken but not answered is worked once; asked again it is %s",
    async (answer) => {
      const dead = await DeadDaemon.make({ repeatedAcknowledge: answer });
      const { id } = await dead.leave(actionType, "acknowledged");
      const { runs, handle } = counting();
      await using rig = await dead.rig({ handle });
      await rig.event("job-reported");
      expect(runs).toEqual([id]);
      await endsClean(dead, rig, id);
    },
  );

  it.each(answers)("whose acknowledge never arrived is asked for again; taken, a repeat is %s", async (answer) => {
    const dead = await DeadDaemon.make({ repeatedAcknowledge: answer });
    const { id } = await dead.leave(actionType, "acknowledging");
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle });
    await rig.event("job-reported");
    expect(runs).toEqual([id]);
    await endsClean(dead, rig, id);
  });

  it.each(answers)("that was offered anew since is worked once all the same; taken, a repeat is %s", async (answer) => {
    const dead = await DeadDaemon.make({ repeatedAcknowledge: answer, redeliveryMs: 30 });
    const { id } = await dead.leave(actionType, "acknowledging");
    await dead.emulator.waitForJob(id, "Queued");
    dead.emulator.configure({ redeliveryMs: 60_000 });
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle });
    await rig.event("job-reported");
    expect(runs).toEqual([id]);
    expect(dead.emulator.job(id)?.status).toBe("Succeeded");
    expect((await rig.stop()).owed).toBe(0);
    expect(await dead.owed()).toEqual([]);
  });

  it("that is back in the queue when it is asked for again is worked only once it is offered", async () => {
    const dead = await DeadDaemon.make({ redeliveryMs: 30, freshNonceAtRedelivery: false });
    const { id } = await dead.leave(actionType, "acknowledging");
    await dead.emulator.waitForJob(id, "Queued");
    dead.emulator.configure({ redeliveryMs: 60_000 });
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle, isHeld: true });
    rig.daemon.worker.pause();
    void rig.run();
    expect(await rig.event("job-dropped")).toMatchObject({ reason: "not-ours", from: "acknowledging" });
    expect(runs).toEqual([]);
    rig.daemon.worker.resume();
    await rig.event("job-reported");
    expect(runs).toEqual([id]);
    await endsClean(dead, rig, id);
  });

  it("is let go of when CodePipeline does not know it any more", async () => {
    const dead = await DeadDaemon.make();
    const [held] = await Promise.all([dead.leave(actionType, "settled")]);
    const stranger = { ...held, key: { ...held.key, jobId: randomUUID() as JobId } };
    await dead.write(stranger, eventsUntil("acknowledging", "1"));
    await using rig = await dead.rig();
    const dropped = await rig.event("job-dropped");
    expect(dropped).toMatchObject({ reason: "gone", from: "acknowledging", key: { jobId: stranger.key.jobId } });
    await rig.event("job-reported");
    await endsClean(dead, rig, held.id);
  });
});

describe.each(["running", "settled"] as const)("a custom job that was %s, though only presumed to be ours", (left) => {
  const asked = (nonce: string): readonly JobEvent[] => [
    { type: "details-received" },
    { type: "acknowledge-sent", nonce: nonce as Nonce },
    { type: "acknowledge-accepted", claim: "presumed" },
    ...(left === "settled" ? [{ type: "outcome-settled", outcome: kept } as const] : []),
  ];

  it("and that is offered again is asked for, and its result put, without a second run", async () => {
    const dead = await DeadDaemon.make({ redeliveryMs: 60 });
    const held = await dead.offer(custom);
    await dead.write(held, asked(held.nonce));
    const { runs, handle } = counting();
    await using rig = await dead.rig({ handle });
    const job = await dead.emulator.waitForJob(held.id, "over");
    await rig.event("job-reported");
    expect(job.status).toBe(left === "settled" ? "Succeeded" : "Failed");
    expect(runs).toEqual([]);
    expect((await rig.stop()).owed).toBe(0);
    expect(await dead.owed()).toEqual([]);
  });
});

it("works a job that it presumed ours, and that an offer makes ours before its details come", async () => {
  const dead = await DeadDaemon.make({ redeliveryMs: 30, repeatedAcknowledge: "InvalidNonceException" });
  const held = await dead.offer(custom);
  await dead.write(held, [
    ...eventsUntil("acknowledging", held.nonce),
    { type: "acknowledge-accepted", claim: "presumed" },
  ]);
  await dead.emulator.waitForJob(held.id, "Queued");
  dead.emulator.configure({ redeliveryMs: 60_000 });
  const { remove } = dead.emulator.fault({ kind: "unavailable", operations: ["GetJobDetails"] });
  const { runs, handle } = counting();
  await using rig = await dead.rig({ handle, actionTypes: [{ ...custom, afterCrash: "rerun" }] });
  await dead.emulator.waitForJob(held.id, "InProgress");
  // By the next one the answer of the acknowledgement is read.
  await rig.event("offer-repeated");
  await rig.event("call-retried");
  remove();
  await rig.event("job-reported");
  expect(runs).toEqual([held.id]);
  expect(dead.emulator.job(held.id)?.acknowledges.map(({ answer }) => answer)).toEqual(["InProgress"]);
  await endsClean(dead, rig, held.id);
});

it("tells a service that calls back while the details of its job cannot be had to come again", async () => {
  const dead = await DeadDaemon.make();
  const token = "token-that-the-service-was-given";
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const promise = { type: "callback-awaited", tokenHash, deadline: Deadline.in(systemClock, 60_000) } as const;
  const { id } = await dead.leave(thirdParty, "running", [promise]);
  const { remove } = dead.emulator.fault({ kind: "unavailable", operations: ["GetThirdPartyJobDetails"] });
  await using rig = await dead.rig({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: {
      ledger: { store: "sqlite", path: dead.path },
      handlers: { scan: { kind: "http", url: "http://127.0.0.1:9/never-asked", requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  const delivered = () =>
    fetch(`${rig.daemon.adminUrl}/jobs/${id}/outcome`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ kind: "succeeded", summary: "scanned at last" }),
    });
  await rig.event("job-recovered");
  await rig.event("call-retried");
  expect((await delivered()).status).toBe(503);
  remove();
  await rig.event("job-started");
  let status = 503;
  // The handler listens a turn or two after its start was told.
  while (status === 503) status = (await delivered()).status;
  expect(status).toBe(200);
  const job = await dead.emulator.waitForJob(id, "over");
  expect(job.result?.document).toEqual({ executionDetails: { summary: "scanned at last" } });
});

it("listens for a callback though others have its slot by now: the service's work is done, and may not come twice", async () => {
  const dead = await DeadDaemon.make();
  const token = "the-token-that-the-service-was-given";
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const promise = { type: "callback-awaited", tokenHash, deadline: Deadline.in(systemClock, 60_000) } as const;
  const { id } = await dead.leave(thirdParty, "running", [promise]);
  const details = dead.emulator.fault({ kind: "unavailable", operations: ["GetThirdPartyJobDetails"] });
  const gate = new Gate();
  await using rig = await dead.rig({
    actionTypes: [{ ...thirdParty, handler: "scan" }, custom],
    handle: () => gate.enter().then(() => succeeded()),
    config: {
      ledger: { store: "sqlite", path: dead.path },
      worker: { maxConcurrentJobs: 1 },
      handlers: {
        scripted: moduleHandler(scriptedHandler),
        scan: { kind: "http", url: "http://127.0.0.1:9/jobs", requestTimeoutMs: 1_000 },
      },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  await rig.event("call-retried");
  const other = dead.emulator.addJob({ actionType: custom });
  await gate.waiting(1);
  details.remove();
  await rig.event("job-started", ({ key }) => key.jobId === id);
  let status = 503;
  while (status === 503) {
    const answer = await fetch(`${rig.daemon.adminUrl}/jobs/${id}/outcome`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ kind: "succeeded", summary: "scanned at last" }),
    });
    status = answer.status;
  }
  expect(status).toBe(200);
  expect((await dead.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(dead.emulator.job(other)?.status).toBe("InProgress");
  gate.release();
  expect((await dead.emulator.waitForJob(other, "over")).status).toBe("Succeeded");
});

it("goes on waiting for a callback, and takes it over the admin port of the new process", async () => {
  const dead = await DeadDaemon.make();
  const token = "the-token-that-the-service-was-given";
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const promise = { type: "callback-awaited", tokenHash, deadline: Deadline.in(systemClock, 60_000) } as const;
  const { id } = await dead.leave(thirdParty, "running", [promise]);
  await using rig = await dead.rig({
    actionTypes: [{ ...thirdParty, handler: "scan" }],
    config: {
      // Nobody listens there: the service must not be asked a second time.
      handlers: { scan: { kind: "http", url: "http://127.0.0.1:9/jobs", requestTimeoutMs: 1_000 } },
      admin: { host: "127.0.0.1", port: await freePort() },
    },
  });
  await rig.event("job-started");
  const deliver = (bearer: string) =>
    fetch(`${rig.daemon.adminUrl}/jobs/${id}/outcome`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ kind: "succeeded", summary: "scanned at last" }),
    });
  expect((await deliver("somebody else's token")).status).toBe(401);
  expect((await deliver(token)).status).toBe(200);
  await rig.event("job-reported");
  expect(summaryOf(dead.emulator, id)).toBe("scanned at last");
  await endsClean(dead, rig, id);
});

it("shares its slots with new work: one slot works all that was left and all that is new, one at a time", async () => {
  const dead = await DeadDaemon.make();
  const left = [];
  for (let n = 0; n < 3; n++) left.push((await dead.leave(thirdParty, "running")).id);
  const gate = new Gate();
  let atOnce = 0;
  let most = 0;
  await using rig = await dead.rig({
    actionTypes: [{ ...thirdParty, afterCrash: "rerun" }],
    config: { ledger: { store: "sqlite", path: dead.path }, worker: { maxConcurrentJobs: 1 } },
    handle: async () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await gate.enter();
      atOnce -= 1;
      return succeeded();
    },
  });
  const fresh = [dead.emulator.addJob({ actionType: thirdParty }), dead.emulator.addJob({ actionType: thirdParty })];
  for (let n = 0; n < left.length + fresh.length; n++) {
    await gate.waiting(1);
    gate.release();
  }
  for (const id of [...left, ...fresh]) expect((await dead.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  expect(most).toBe(1);
  expect((await rig.stop()).owed).toBe(0);
});

it("runs no job beside its limit that gave its slot to another while its details could not be had", async () => {
  const dead = await DeadDaemon.make();
  const { id: left } = await dead.leave(thirdParty, "running");
  const details = dead.emulator.fault({ kind: "unavailable", operations: ["GetThirdPartyJobDetails"] });
  const gate = new Gate();
  const atWork: string[] = [];
  await using rig = await dead.rig({
    actionTypes: [{ ...thirdParty, afterCrash: "rerun" }, custom],
    config: { ledger: { store: "sqlite", path: dead.path }, worker: { maxConcurrentJobs: 1 } },
    handle: async ({ jobId }) => {
      atWork.push(jobId);
      await gate.enter();
      return succeeded();
    },
  });
  await rig.event("call-retried");
  const fresh = dead.emulator.addJob({ actionType: custom });
  await gate.waiting(1);
  const asked = dead.emulator.job(left)?.counts.details ?? 0;
  details.remove();
  await dead.emulator.waitFor(() => (dead.emulator.job(left)?.counts.details ?? 0) > asked);
  // By the answers to these the daemon has had its own, too.
  for (let n = 0; n < 3; n++) await call(dead.emulator.url, "ListActionTypes", {});
  expect(atWork).toEqual([fresh]);
  gate.release();
  expect((await dead.emulator.waitForJob(fresh, "over")).status).toBe("Succeeded");
  await gate.waiting(1);
  expect(atWork).toEqual([fresh, left]);
  expect(rig.daemon.worker.slots).toMatchObject({ busy: 1, owed: 0 });
  gate.release();
  await rig.event("job-reported", ({ key }) => key.jobId === left);
  await endsClean(dead, rig, left);
});

it("counts as owed what it did not come to take up before it was stopped", async () => {
  const dead = await DeadDaemon.make();
  for (let n = 0; n < 3; n++) await dead.leave(thirdParty, "running");
  const gate = new Gate();
  {
    await using rig = await dead.rig({
      actionTypes: [{ ...thirdParty, afterCrash: "rerun" }],
      config: { ledger: { store: "sqlite", path: dead.path }, worker: { maxConcurrentJobs: 1 } },
      handle: async () => {
        await gate.enter();
        return succeeded();
      },
    });
    await gate.waiting(1);
    const stopping = rig.stop();
    gate.release();
    expect((await stopping).owed).toBe(2);
  }
  await using rig = await dead.rig();
  for (const { id } of dead.emulator.jobs()) await dead.emulator.waitForJob(id, "over");
  expect((await rig.stop()).owed).toBe(0);
});

it("leaves a job of an action type that is no longer configured in the ledger, and says so", async () => {
  const dead = await DeadDaemon.make();
  const { id } = await dead.leave(custom, "settled");
  {
    await using rig = await dead.rig({ actionTypes: [thirdParty] });
    const leftOver = await rig.event("job-unfinished");
    expect(leftOver).toMatchObject({
      state: "settled",
      key: { jobId: id },
      message: expect.stringContaining("no longer configured"),
    });
    // Whoever is on duty learns of it by the metrics and the page: no poller and no handler will show it.
    expect(rig.daemon.status().unattended).toBe(1);
    expect((await rig.stop()).owed).toBe(1);
  }
  expect(dead.emulator.job(id)?.counts.results).toBe(0);
  await using rig = await dead.rig();
  await rig.event("job-reported");
  expect(summaryOf(dead.emulator, id)).toBe(kept.summary);
  await endsClean(dead, rig, id);
});

it("puts what is owed once CodePipeline is back, and polls meanwhile", async () => {
  const dead = await DeadDaemon.make();
  const { id } = await dead.leave(thirdParty, "settled");
  const outage = dead.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  await using rig = await dead.rig({
    config: { ledger: { store: "sqlite", path: dead.path }, worker: { maxConcurrentJobs: 1 } },
  });
  await rig.event("call-retried");
  await rig.event("poll-finished");
  outage.remove();
  await rig.event("job-reported");
  await endsClean(dead, rig, id);
});

it("takes up what was left of an action type once the configuration has it again, without a restart", async () => {
  const dead = await DeadDaemon.make();
  const { id } = await dead.leave(custom, "settled");
  await using rig = await dead.rig({ actionTypes: [thirdParty] });
  await rig.event("job-unfinished");
  const [type] = rig.config.actionTypes;
  if (!type) throw new Error("no action type");
  await rig.daemon.reload(async () => ({ ...rig.config, actionTypes: [type, { ...type, ...custom }] }));
  await rig.event("job-reported");
  expect(rig.daemon.status().unattended).toBe(0);
  expect(summaryOf(dead.emulator, id)).toBe(kept.summary);
  await endsClean(dead, rig, id);
});

/** One job at the gate and one that waits for its slot, while the configuration changes. */
async function reloadedWhileOneWaits(change: (rig: Rig) => Partial<Config>) {
  const dead = await DeadDaemon.make();
  const { id: first } = await dead.leave(thirdParty, "running");
  const { id: second } = await dead.leave(thirdParty, "running");
  const gate = new Gate();
  const rig = await dead.rig({
    actionTypes: [{ ...thirdParty, afterCrash: "rerun" }, custom],
    config: { ledger: { store: "sqlite", path: dead.path }, worker: { maxConcurrentJobs: 1 } },
    handle: () => gate.enter().then(() => succeeded({ summary: "old" })),
  });
  await gate.waiting(1);
  writeFileSync(join(rig.folder, "new.mjs"), 'export const handler = () => ({ kind: "succeeded", summary: "new" });\n');
  await rig.daemon.reload(async () => ({ ...rig.config, ...change(rig) }));
  gate.release();
  await rig.event("job-reported", ({ key }) => key.jobId === first);
  return { dead, rig, second };
}

it("works a job that waited for a slot with the handler that its action type has by then", async () => {
  const { dead, rig, second } = await reloadedWhileOneWaits(({ config, folder }) => ({
    actionTypes: config.actionTypes.map((type) => ({ ...type, handler: "new" })),
    handlers: { new: moduleHandler(join(folder, "new.mjs")) },
  }));
  await using _ = rig;
  await rig.event("job-reported", ({ key }) => key.jobId === second);
  expect(summaryOf(dead.emulator, second)).toBe("new");
  await endsClean(dead, rig, second);
});

it("leaves a job that waited for a slot when its action type is gone by then", async () => {
  const { rig, second } = await reloadedWhileOneWaits(({ config }) => ({
    actionTypes: config.actionTypes.filter(({ owner }) => owner === "Custom"),
  }));
  await using _ = rig;
  expect(await rig.event("job-unfinished")).toMatchObject({ key: { jobId: second } });
  expect(rig.count("job-started")).toBe(1);
  expect((await rig.stop()).owed).toBe(1);
});
