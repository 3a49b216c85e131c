// Promise: each error that an operation may answer has one known effect: on that job or poller and on nothing else.
import { describe, expect, it, onTestFinished } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { continued, failed, succeeded } from "../../src/index.js";
import type { LostReason } from "../../src/job/lifecycle.js";
import { startRelay } from "../support/relay.js";
import { custom, defaultRetry, Gate, type Rig, type RigOptions, startRig, thirdParty } from "../support/rig.js";

type Flavour = typeof thirdParty | typeof custom;

/** What both flavours call the same deed. */
const operationsOf = {
  poll: { ThirdParty: "PollForThirdPartyJobs", Custom: "PollForJobs" },
  acknowledge: { ThirdParty: "AcknowledgeThirdPartyJob", Custom: "AcknowledgeJob" },
  success: { ThirdParty: "PutThirdPartyJobSuccessResult", Custom: "PutJobSuccessResult" },
  failure: { ThirdParty: "PutThirdPartyJobFailureResult", Custom: "PutJobFailureResult" },
} as const;
const flavours = [thirdParty, custom] as const;

const error = (code: string, more: Partial<FaultDocument> = {}): FaultDocument => ({ kind: "error", code, ...more });

/** Errors that no operation models, and what kind each is to the daemon; all of them pass. */
const unmodelled: readonly (readonly [string, FaultDocument, "throttled" | "denied" | "unavailable"])[] = [
  ["throttling", { kind: "throttle" }, "throttled"],
  ["HTTP 429", error("TooManyRequestsException", { status: 429 }), "throttled"],
  ["LimitExceeded with HTTP 429", error("LimitExceededException", { status: 429 }), "throttled"],
  ["AccessDenied", error("AccessDeniedException"), "denied"],
  ["UnrecognizedClient", error("UnrecognizedClientException"), "denied"],
  ["ExpiredToken", error("ExpiredTokenException"), "denied"],
  ["InvalidSignature", error("InvalidSignatureException", { status: 403 }), "denied"],
  ["an unknown HTTP 403", error("SomethingNew", { status: 403 }), "denied"],
  ["HTTP 500", { kind: "internal-error" }, "unavailable"],
  ["HTTP 503", { kind: "unavailable" }, "unavailable"],
  ["a proxy's HTTP 502", { kind: "html" }, "unavailable"],
  ["a timeout at a front end", error("RequestTimeoutException"), "unavailable"],
  ["a reset connection", { kind: "reset" }, "unavailable"],
];

/** Limits for calls that a test waits out, yet longer than any call takes on a busy machine. */
const impatient = { socketTimeoutMs: 300, requestTimeoutMs: 400, connectionTimeoutMs: 400 };
/** Such a call may be a poll on a busy machine: what it was to bring comes again soon. */
const offersSoon = { redeliveryMs: 5_000 };
const clientToken = "emulated-client-token";

/** A job's only slot: if it is not given back, no other job is ever worked. */
const oneSlot = { worker: { maxConcurrentJobs: 1 } };
const noCooldown = { retry: { ...defaultRetry, clientCooldownMs: 0 } };

/** Nothing that happens to one job may keep the next one of the same type and client from being worked. */
async function worksTheNext(rig: Rig, actionType: Flavour): Promise<void> {
  const id = rig.emulator.addJob({ actionType });
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
}

describe("a poll", () => {
  const rows = flavours.flatMap((actionType) =>
    [
      ["ActionTypeNotFound", error("ActionTypeNotFoundException"), "misconfigured"] as const,
      ["Validation", error("ValidationException"), "rejected"] as const,
      ...unmodelled,
    ].map(([name, fault, kind]) => ({ name, fault, kind, actionType, owner: actionType.owner })),
  );

  it.each(rows)("of $owner jobs that meets $name slows down alone and comes back", async (row) => {
    const { actionType, fault, kind } = row;
    const operation = operationsOf.poll[actionType.owner];
    const other = actionType === custom ? thirdParty : custom;
    await using rig = await startRig({ isHeld: true });
    const { remove } = rig.emulator.fault({ ...fault, operations: [operation] });
    void rig.run();
    const [id = ""] = rig.emulator.addJobs({ actionType, count: 1 });
    const third = await rig.event("poll-failed", (event) => event.failures === 3);
    expect(third.fault).toMatchObject({ kind, operation });
    expect(third.poller.actionType.owner).toBe(actionType.owner);
    // From call to call: doubled at each failure from the policy's 5 ms on, and only ever lengthened.
    const intervals = rig.events.flatMap((event) =>
      event.type === "poll-failed" ? [event.durationMs + event.restMs] : [],
    );
    expect(intervals.slice(0, 3).map((ms, index) => ms > 5 * 2 ** index - 0.001)).toEqual([true, true, true]);
    await worksTheNext(rig, other);
    const failing = rig.events.filter((event) => event.type === "poll-failed");
    expect(new Set(failing.map(({ poller }) => poller.actionType.owner))).toEqual(new Set([actionType.owner]));
    expect(rig.emulator.job(id)?.counts.offers).toBe(0);
    remove();
    const recovered = await rig.event("poll-recovered");
    expect(recovered.poller.actionType.owner).toBe(actionType.owner);
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  });

  it.each(["lost-answer", "cut-answer", "malformed-json"] as const)(
    "whose answer is spoilt by %s after jobs were dispatched gets them when they are offered again",
    async (kind) => {
      await using rig = await startRig({ emulator: { settings: { redeliveryMs: 30 } }, isHeld: true });
      for (const { owner } of flavours) {
        rig.emulator.fault({ kind, operations: [operationsOf.poll[owner]], times: 1 });
      }
      const ids = flavours.flatMap((actionType) => rig.emulator.addJobs({ actionType, count: 3 }));
      void rig.run();
      for (const id of ids) {
        const job = await rig.emulator.waitForJob(id, "over");
        expect(job.status).toBe("Succeeded");
        expect(job.results).toHaveLength(1);
        expect(job.counts.offers).toBeGreaterThan(1);
      }
    },
  );
});

describe("GetThirdPartyJobDetails", () => {
  const operations = ["GetThirdPartyJobDetails"];
  const rows: readonly (readonly [string, LostReason, number])[] = [
    ["JobNotFoundException", "gone", 1],
    ["InvalidJobException", "gone", 1],
    // Asked twice: the token is looked up afresh in between.
    ["InvalidClientTokenException", "token-rejected", 2],
    ["ValidationException", "refused", 1],
  ];

  it.each(rows)(
    "answering %s drops the job as %s after %i question(s), and says nothing of it",
    async (code, reason, asked) => {
      await using rig = await startRig({ config: { ...oneSlot, ...noCooldown } });
      rig.emulator.fault(error(code, { operations, times: asked }));
      const id = rig.emulator.addJob({ actionType: thirdParty });
      const dropped = await rig.event("job-dropped");
      expect(dropped).toMatchObject({ reason, from: "polled", key: { jobId: id } });
      expect(dropped.message).toContain(id);
      expect(dropped.message).not.toContain(clientToken);
      expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toEqual({ [code]: asked });
      expect(rig.emulator.job(id)?.counts).toMatchObject({ acknowledges: 0, results: 0 });
      await worksTheNext(rig, thirdParty);
    },
  );

  it("works the job when the token that was refused is good at the second look", async () => {
    await using rig = await startRig();
    rig.emulator.fault(error("InvalidClientTokenException", { operations, times: 1 }));
    const id = rig.emulator.addJob({ actionType: thirdParty });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    expect(rig.emulator.calls()["GetThirdPartyJobDetails"]).toEqual({ InvalidClientTokenException: 1, ok: 1 });
  });

  it.each(unmodelled)("meeting %s is asked again until it answers", async (_name, fault, kind) => {
    await using rig = await startRig();
    rig.emulator.fault({ ...fault, operations, times: 2 });
    const id = rig.emulator.addJob({ actionType: thirdParty });
    expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    const retried = await rig.event("call-retried", (event) => event.attempt === 2);
    expect(retried.fault).toMatchObject({ kind, operation: "GetThirdPartyJobDetails" });
    expect(rig.emulator.job(id)?.counts).toMatchObject({ offers: 1, acknowledges: 1, results: 1 });
  });
});

describe("an acknowledgement", () => {
  const modelled: readonly (readonly [string, LostReason])[] = [
    ["InvalidNonceException", "not-ours"],
    ["JobNotFoundException", "gone"],
    ["ValidationException", "refused"],
  ];
  const rows = flavours.flatMap((actionType) =>
    [
      ...modelled,
      ...(actionType === thirdParty ? [["InvalidClientTokenException", "token-rejected"] as const] : []),
    ].map(([code, reason]) => ({ code, reason, actionType, owner: actionType.owner })),
  );

  it.each(rows)("of a $owner job answered $code drops it as $reason and never fails it", async (row) => {
    const { code, reason, actionType } = row;
    const operation = operationsOf.acknowledge[actionType.owner];
    let runs = 0;
    await using rig = await startRig({
      config: { ...oneSlot, ...noCooldown },
      handle: () => {
        runs += 1;
        return succeeded();
      },
    });
    const times = code === "InvalidClientTokenException" ? 2 : 1;
    rig.emulator.fault(error(code, { operations: [operation], times }));
    const id = rig.emulator.addJob({ actionType });
    const dropped = await rig.event("job-dropped");
    expect(dropped).toMatchObject({ reason, from: "acknowledging", key: { jobId: id } });
    expect(rig.emulator.calls()[operation]).toEqual({ [code]: times });
    expect(runs).toBe(0);
    await worksTheNext(rig, actionType);
    expect(rig.emulator.job(id)).toMatchObject({ status: "Dispatched", counts: { results: 0 } });
  });

  it.each(flavours.flatMap((actionType) => unmodelled.map((row) => [actionType.owner, ...row, actionType] as const)))(
    "of a %s job that meets %s is repeated until it is answered, and the job runs once",
    async (owner, _name, fault, kind, actionType) => {
      let runs = 0;
      await using rig = await startRig({
        handle: () => {
          runs += 1;
          return succeeded();
        },
      });
      const operation = operationsOf.acknowledge[owner];
      rig.emulator.fault({ ...fault, operations: [operation], times: 2 });
      const id = rig.emulator.addJob({ actionType });
      expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
      const retried = await rig.event("call-retried", (event) => event.attempt === 2);
      expect(retried.fault).toMatchObject({ kind, operation });
      expect(runs).toBe(1);
      expect(rig.emulator.violations()).toEqual([]);
    },
  );

  const statuses: readonly (readonly [string, LostReason])[] = [
    ["Created", "not-ours"],
    ["Queued", "not-ours"],
    ["Dispatched", "not-ours"],
    ["TimedOut", "over"],
    ["Succeeded", "over"],
    ["Failed", "over"],
    ["SomethingNew", "not-ours"],
    ["inprogress", "not-ours"],
    ["", "not-ours"],
  ];
  it.each(
    flavours.flatMap((actionType) =>
      statuses.map(([status, reason]) => ({ actionType, owner: actionType.owner, status, reason })),
    ),
  )("of a $owner job answered with the status '$status' drops it as $reason, not run", async (row) => {
    const { actionType, status, reason } = row;
    const operation = operationsOf.acknowledge[actionType.owner];
    const runs: string[] = [];
    const emulator = await startEmulator();
    onTestFinished(() => emulator.close());
    let isFirst = true;
    await using relay = await startRelay(emulator.url, (answer) => {
      if (answer.operation !== operation || !isFirst) return undefined;
      isFirst = false;
      return JSON.stringify({ status });
    });
    await using rig = await startRig({
      sharedEmulator: emulator,
      aws: { endpoint: relay.url },
      config: oneSlot,
      handle: (job) => {
        runs.push(job.jobId);
        return succeeded();
      },
    });
    const id = rig.emulator.addJob({ actionType });
    expect(await rig.event("job-dropped")).toMatchObject({ reason, from: "acknowledging", key: { jobId: id } });
    await worksTheNext(rig, actionType);
    expect(runs).not.toContain(id);
    expect(rig.emulator.job(id)?.counts.results).toBe(0);
  });

  const ambiguous: readonly FaultDocument[] = [
    { kind: "internal-error", applied: true },
    { kind: "unavailable", applied: true },
    { kind: "html", applied: true },
    error("RequestTimeoutException", { applied: true }),
    { kind: "black-hole", applied: true },
    { kind: "endless-body", applied: true },
  ];

  it.each(
    (["InProgress", "InvalidNonceException"] as const).flatMap((repeated) =>
      ambiguous.map((fault) => ({ repeated, fault, kind: fault.kind })),
    ),
  )("that took effect behind $kind, and is answered $repeated when repeated, runs the job once", async (row) => {
    const runs: string[] = [];
    await using rig = await startRig({
      emulator: { settings: { ...offersSoon, repeatedAcknowledge: row.repeated } },
      aws: impatient,
      handle: (job) => {
        runs.push(job.jobId);
        return succeeded();
      },
    });
    for (const { owner } of flavours) {
      rig.emulator.fault({ ...row.fault, operations: [operationsOf.acknowledge[owner]], times: 1 });
    }
    const ids = flavours.map((actionType) => rig.emulator.addJob({ actionType }));
    for (const id of ids) {
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.status).toBe("Succeeded");
      expect(job.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
    }
    expect(runs.sort()).toEqual([...ids].sort());
  });

  it.each(["JobNotFoundException", "ValidationException"])(
    "whose answer was lost and whose job GetJobDetails then answers with %s is dropped, not run",
    async (code) => {
      let runs = 0;
      await using rig = await startRig({
        emulator: { settings: { repeatedAcknowledge: "InvalidNonceException" } },
        handle: () => {
          runs += 1;
          return succeeded();
        },
      });
      rig.emulator.fault({ kind: "lost-answer", operations: ["AcknowledgeJob"], times: 1 });
      rig.emulator.fault(error(code, { operations: ["GetJobDetails"], times: 1 }));
      rig.emulator.addJob({ actionType: custom });
      const dropped = await rig.event("job-dropped");
      expect(dropped.reason).toBe(code === "JobNotFoundException" ? "gone" : "refused");
      expect(runs).toBe(0);
      await worksTheNext(rig, custom);
    },
  );
});

describe("GetJobDetails", () => {
  it.each(unmodelled)(
    "meeting %s after a lost acknowledgement is asked again, and the job runs once",
    async (_name, fault) => {
      let runs = 0;
      await using rig = await startRig({
        emulator: { settings: { repeatedAcknowledge: "InvalidNonceException" } },
        handle: () => {
          runs += 1;
          return succeeded();
        },
      });
      rig.emulator.fault({ kind: "lost-answer", operations: ["AcknowledgeJob"], times: 1 });
      rig.emulator.fault({ ...fault, operations: ["GetJobDetails"], times: 2 });
      const id = rig.emulator.addJob({ actionType: custom });
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.status).toBe("Succeeded");
      expect(job.results).toHaveLength(1);
      expect(runs).toBe(1);
      const asked = Object.values(rig.emulator.calls()["GetJobDetails"] ?? {});
      expect(asked.reduce((sum, count) => sum + count)).toBe(3);
    },
  );
});

describe("a result", () => {
  const outcomes = { success: succeeded({ summary: "done" }), failure: failed("nothing to scan") } as const;
  const kinds = ["success", "failure"] as const;
  const each = flavours.flatMap((actionType) =>
    kinds.map((kind) => ({
      actionType,
      owner: actionType.owner,
      kind,
      operation: operationsOf[kind][actionType.owner],
    })),
  );
  const handling = (kind: "success" | "failure"): NonNullable<RigOptions["handle"]> => {
    let isFirst = true;
    return () => {
      const outcome = isFirst ? outcomes[kind] : succeeded();
      isFirst = false;
      return outcome;
    };
  };

  const lost = each.flatMap((row) =>
    (
      [
        ["JobNotFoundException", "gone"],
        ["InvalidJobStateException", "over"],
      ] as const
    ).map(([code, reason]) => ({ ...row, code, reason })),
  );
  it.each(lost)("by $operation answered $code is lost as $reason, loudly, and holds nothing up", async (row) => {
    const { actionType, operation, code, reason } = row;
    await using rig = await startRig({ handle: handling(row.kind), config: oneSlot });
    rig.emulator.fault(error(code, { operations: [operation], times: 1 }));
    const id = rig.emulator.addJob({ actionType });
    expect(await rig.event("job-dropped")).toMatchObject({ reason, from: "settled", key: { jobId: id } });
    expect(rig.emulator.calls()[operation]).toEqual({ [code]: 1 });
    const line = rig.logs.find((each) => each["event"] === "job-dropped");
    expect(line).toMatchObject({ level: "error", jobId: id, reason });
    await worksTheNext(rig, actionType);
    expect((await rig.stop()).owed).toBe(0);
  });

  it.each(each.filter(({ owner }) => owner === "ThirdParty"))(
    "by $operation answered InvalidClientToken is kept, without a slot, until the token is taken",
    async ({ operation, kind }) => {
      await using rig = await startRig({
        handle: handling(kind),
        config: { ...oneSlot, ...noCooldown },
      });
      const { remove } = rig.emulator.fault(error("InvalidClientTokenException", { operations: [operation] }));
      const id = rig.emulator.addJob({ actionType: thirdParty });
      await rig.event("call-retried", (event) => event.fault.kind === "token-rejected" && event.attempt === 2);
      expect(rig.daemon.worker.slots).toMatchObject({ owed: 1 });
      const other = rig.emulator.addJob({ actionType: custom });
      expect((await rig.emulator.waitForJob(other, "over")).status).toBe("Succeeded");
      expect(rig.emulator.job(id)?.status).toBe("InProgress");
      remove();
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.status).toBe(kind === "success" ? "Succeeded" : "Failed");
      expect(job.results.filter(({ answer }) => answer === "accepted")).toHaveLength(1);
    },
  );

  const refusals = each.flatMap((row) => [
    { ...row, code: "ValidationException" },
    ...(row.operation === "PutJobSuccessResult" ? [{ ...row, code: "OutputVariablesSizeExceededException" }] : []),
  ]);
  it.each(refusals)("by $operation refused with $code gives way to a short failure, once", async (row) => {
    const { actionType, operation, code } = row;
    await using rig = await startRig({ handle: handling(row.kind), config: oneSlot });
    rig.emulator.fault(error(code, { operations: [operation], times: 1 }));
    const id = rig.emulator.addJob({ actionType });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Failed");
    expect(job.result?.document).toMatchObject({
      failureDetails: {
        type: "JobFailed",
        message: expect.stringContaining(`rejected the result of this job as invalid (${code})`),
      },
    });
    expect(await rig.event("result-refused")).toMatchObject({ fault: { kind: "rejected", operation, code } });
    expect((await rig.event("job-reported")).outcome.kind).toBe("failed");
    await worksTheNext(rig, actionType);
  });

  it.each(each)("by $operation whose short failure is refused too is lost, not tried for ever", async (row) => {
    const { actionType, kind } = row;
    await using rig = await startRig({ handle: handling(kind), config: oneSlot });
    const operations = [operationsOf.success[actionType.owner], operationsOf.failure[actionType.owner]];
    rig.emulator.fault(error("ValidationException", { operations, times: 2 }));
    rig.emulator.addJob({ actionType });
    expect(await rig.event("job-dropped")).toMatchObject({ reason: "refused", from: "settled" });
    const puts = operations.map((name) => rig.emulator.calls()[name]?.["ValidationException"] ?? 0);
    expect(puts.reduce((sum, count) => sum + count)).toBe(2);
    await worksTheNext(rig, actionType);
  });

  it("with output variables over the limit fails the job without asking CodePipeline", async () => {
    const handle = () => succeeded({ outputVariables: { Log: "x".repeat(122_880) } });
    await using rig = await startRig({ handle });
    const id = rig.emulator.addJob({ actionType: custom });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Failed");
    expect(job.result?.document).toMatchObject({ failureDetails: { message: expect.stringMatching(/122.?880/) } });
    expect(rig.emulator.calls()["PutJobSuccessResult"]).toBeUndefined();
    expect(rig.emulator.violations()).toEqual([]);
  });

  it.each(each.flatMap((row) => unmodelled.map(([name, fault, faultKind]) => ({ ...row, name, fault, faultKind }))))(
    "by $operation that meets $name is put again until it is accepted",
    async ({ actionType, operation, kind, fault, faultKind }) => {
      await using rig = await startRig({ handle: handling(kind) });
      rig.emulator.fault({ ...fault, operations: [operation], times: 2 });
      const id = rig.emulator.addJob({ actionType });
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.status).toBe(kind === "success" ? "Succeeded" : "Failed");
      expect(job.results).toHaveLength(1);
      const retried = await rig.event("call-retried", (event) => event.attempt === 2);
      expect(retried.fault).toMatchObject({ kind: faultKind, operation });
      expect(await rig.event("job-reported")).toMatchObject({ attempts: 3, isPresumed: false });
    },
  );

  const applied: readonly FaultDocument[] = [
    { kind: "internal-error", applied: true },
    { kind: "unavailable", applied: true },
    { kind: "html", applied: true },
    { kind: "black-hole", applied: true },
    { kind: "endless-body", applied: true },
  ];
  it.each(each.flatMap((row) => applied.map((fault) => ({ ...row, fault, fate: fault.kind }))))(
    "by $operation that took effect behind $fate counts as reported once, not as lost",
    async ({ actionType, operation, kind, fault }) => {
      await using rig = await startRig({
        handle: handling(kind),
        emulator: { settings: offersSoon },
        aws: impatient,
      });
      rig.emulator.fault({ ...fault, operations: [operation], times: 1 });
      const id = rig.emulator.addJob({ actionType });
      expect(await rig.event("job-reported")).toMatchObject({ isPresumed: true, key: { jobId: id } });
      const job = await rig.emulator.waitForJob(id, "over");
      expect(job.results.map(({ answer }) => answer)).toEqual(["accepted", "InvalidJobStateException"]);
      expect(rig.daemon.status().totals.dropped).toBe(0);
    },
  );

  it.each(flavours)(
    "that says continued for a $owner job makes one next job, even when its answer is lost",
    async (actionType) => {
      const tokens: (string | undefined)[] = [];
      await using rig = await startRig({
        emulator: { settings: { continuationDelayMs: 1 } },
        handle: (job) => {
          tokens.push(job.continuationToken);
          return job.continuationToken === undefined ? continued("step-2") : succeeded();
        },
      });
      const operations = [operationsOf.success[actionType.owner]];
      rig.emulator.fault({ kind: "lost-answer", operations, times: 1 });
      const id = rig.emulator.addJob({ actionType });
      await rig.emulator.waitFor(
        () => rig.emulator.jobs().length === 2 && rig.emulator.lastJob(id)?.status === "Succeeded",
      );
      await rig.event("job-reported", (event) => event.outcome.kind === "succeeded");
      expect(tokens).toEqual([undefined, "step-2"]);
    },
  );

  it.each(flavours)("of a $owner job waits out a time in which nobody listens", async (actionType) => {
    const gate = new Gate();
    await using rig = await startRig({
      handle: async () => {
        await gate.enter();
        return succeeded();
      },
    });
    const id = rig.emulator.addJob({ actionType });
    await gate.waiting(1);
    const deaf = rig.emulator.waitForEvent((event) => event.type === "listening-changed" && !event.isListening);
    const { remove } = rig.emulator.fault({ kind: "refuse-connections" });
    await deaf;
    gate.release();
    const retried = await rig.event("call-retried", (event) => event.attempt >= 3);
    expect(retried.fault).toMatchObject({ kind: "unavailable", code: "ECONNREFUSED" });
    remove();
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Succeeded");
    expect(await rig.event("job-reported")).toMatchObject({ isPresumed: false });
    expect(job.results).toHaveLength(1);
  });
});
