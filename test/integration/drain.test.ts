// Promise: a stop takes nothing new, lets what runs end within its time, and always ends.
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { signalGroup } from "../../src/std/process-tree.js";
import { custom, freePort, Gate, type RigOptions, startRig, thirdParty } from "../support/rig.js";

const shutdown = { drainTimeoutMs: 10_000, cancelGraceMs: 200, reportTimeoutMs: 400 };

it("waits for the job that runs, reports it, and owes nothing", async () => {
  const go = Promise.withResolvers<void>();
  let wasTold = false;
  await using rig = await startRig({
    handle: async (job) => {
      job.draining.addEventListener("abort", () => {
        wasTold = true;
        go.resolve();
      });
      await go.promise;
      return { kind: "succeeded" };
    },
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  const end = await rig.stop();
  expect(wasTold).toBe(true);
  expect(end).toMatchObject({ owed: 0, isRead: true, isBroken: false });
  expect(rig.emulator.job(id)?.status).toBe("Succeeded");
});

it("acknowledges nothing once it drains", async () => {
  await using rig = await startRig();
  rig.emulator.fault({ kind: "latency", operations: ["GetThirdPartyJobDetails"], ms: 60_000 });
  const asked = rig.emulator.waitForEvent(
    (event) => event.type === "call-received" && event.call.operation === "GetThirdPartyJobDetails",
  );
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await asked;
  const end = await rig.stop();
  expect(end.owed).toBe(0);
  expect(rig.emulator.job(id)?.counts.acknowledges).toBe(0);
  expect(rig.events.some((event) => event.type === "job-dropped" && event.reason === "draining")).toBe(true);
  const polls = rig.emulator.calls()["PollForThirdPartyJobs"];
  rig.emulator.addJob({ actionType: thirdParty });
  expect(rig.emulator.calls()["PollForThirdPartyJobs"]).toEqual(polls);
});

it("finishes an acknowledgement that is under way, runs the job and reports it", async () => {
  await using rig = await startRig();
  // The first is not answered, though it arrived: the next one is under way, or waited for.
  rig.emulator.fault({ kind: "lost-answer", operations: ["AcknowledgeThirdPartyJob"], times: 1 });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("call-retried");
  const end = await rig.stop();
  expect(end.owed).toBe(0);
  expect(rig.emulator.job(id)?.status).toBe("Succeeded");
});

const stuck: RigOptions = { handle: () => new Promise(() => {}), config: { shutdown } };

it("fails a handler that does not stop, when the drain's time is over", async () => {
  await using rig = await startRig({ ...stuck, config: { shutdown: { ...shutdown, drainTimeoutMs: 50 } } });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  const end = await rig.stop();
  expect(end.owed).toBe(0);
  const job = rig.emulator.job(id);
  expect(job?.status).toBe("Failed");
  expect(job?.result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable" } });
});

it("stops the handlers at once when it is hurried", async () => {
  await using rig = await startRig({
    config: { shutdown: { ...shutdown, drainTimeoutMs: 600_000 } },
    handle: (job) => new Promise((_, reject) => job.signal.addEventListener("abort", () => reject(job.signal.reason))),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  const stopped = rig.stop();
  await rig.event("drain-started");
  rig.daemon.worker.hurry("a second SIGTERM");
  expect((await stopped).owed).toBe(0);
  expect(rig.emulator.job(id)?.status).toBe("Failed");
});

it("believes a handler that says how far it came in the last moment", async () => {
  await using rig = await startRig({
    config: { shutdown: { ...shutdown, drainTimeoutMs: 20 } },
    handle: (job) =>
      new Promise((resolve) =>
        job.signal.addEventListener("abort", () => resolve({ kind: "continued", continuationToken: "step-3" })),
      ),
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.event("job-started");
  await rig.stop();
  expect(rig.emulator.job(id)?.result?.document).toMatchObject({ continuationToken: "step-3" });
});

it.each(["black-hole", "unavailable", "refuse-connections"] as const)(
  "ends with the job owed when CodePipeline is gone (%s)",
  async (kind) => {
    const go = Promise.withResolvers<void>();
    await using rig = await startRig({
      handle: async () => {
        await go.promise;
        return { kind: "succeeded" };
      },
      config: { shutdown: { drainTimeoutMs: 50, cancelGraceMs: 50, reportTimeoutMs: 100 } },
    });
    rig.emulator.addJob({ actionType: thirdParty });
    await rig.event("job-started");
    rig.emulator.fault(kind === "refuse-connections" ? { kind, ms: 60_000 } : { kind });
    const stopped = rig.stop();
    go.resolve();
    expect((await stopped).owed).toBe(1);
    expect(rig.events.some((event) => event.type === "job-unfinished" && event.state === "settled")).toBe(true);
  },
);

it("stops while every poll hangs", async () => {
  await using rig = await startRig({ isHeld: true });
  rig.emulator.fault({ kind: "black-hole" });
  void rig.run();
  await rig.emulator.waitForEvent((event) => event.type === "call-received");
  expect((await rig.stop()).owed).toBe(0);
});

it("stops while it is paused, and before it ever started", async () => {
  await using rig = await startRig();
  rig.daemon.worker.pause();
  expect((await rig.stop()).owed).toBe(0);
  await using held = await startRig({ isHeld: true });
  expect((await held.stop()).owed).toBe(0);
});

it("gives results that are owed their own time, and no more, when no handler works", async () => {
  const shutdown = { drainTimeoutMs: 60_000, cancelGraceMs: 60_000, reportTimeoutMs: 200 };
  const gate = new Gate();
  await using rig = await startRig({
    config: { shutdown },
    handle: () => gate.enter().then(() => ({ kind: "succeeded" })),
  });
  rig.emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult", "PutJobSuccessResult"] });
  rig.emulator.addJob({ actionType: thirdParty });
  rig.emulator.addJob({ actionType: custom });
  await gate.waiting(2);
  gate.release();
  await rig.event("call-retried");
  const stopped = rig.stop();
  // The second one is still at work: it is waited for.
  await gate.waiting(1);
  gate.release();
  expect(await stopped).toMatchObject({ owed: 2, isRead: true, isBroken: false });
  expect(rig.count("drain-hurried")).toBe(0);
  expect(rig.count("job-settled", (event) => event.type === "job-settled" && event.cause === "returned")).toBe(2);
});

it("kills first what commands still run when it is to end now, whoever holds a connection open", async () => {
  const port = await freePort();
  const limits = { ...shutdown, cancelGraceMs: 600_000 };
  await using rig = await startRig({
    actionTypes: [{ ...thirdParty, handler: "deaf" }],
    inFolder: (folder) => ({
      admin: { host: "127.0.0.1", port },
      shutdown: limits,
      handlers: { deaf: { kind: "command", command: ["/bin/sh", "-c", deaf, "sh", join(folder, "pid")], env: {} } },
    }),
  });
  rig.emulator.addJob({ actionType: thirdParty });
  const written = () => (existsSync(join(rig.folder, "pid")) ? readFileSync(join(rig.folder, "pid"), "utf8") : "");
  await expect.poll(written, { timeout: 20_000 }).toMatch(/^\d+\n$/);
  const pid = Number(written());
  onTestFinished(() => void signalGroup(pid, "SIGKILL"));
  let isHeld = true;
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.resume().on("close", () => {
    isHeld = false;
  });
  onTestFinished(() => void socket.destroy());
  socket.write("POST /jobs/j/fail HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 400\r\n\r\n{");
  // What was sent before has been read when a later connection is answered.
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  rig.daemon.stopNow("a third SIGTERM");
  await expect.poll(() => isAtWork(pid), { timeout: 20_000, interval: 10 }).toBe(false);
  expect(isHeld).toBe(true);
});

const deaf = `trap '' TERM; echo $$ >"$1"; while :; do sleep 0.05; done`;

function isAtWork(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
