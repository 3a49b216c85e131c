// Promise: a job is polled, acknowledged, worked and answered, in both flavours, with one call of each kind.
import { expect, it } from "vitest";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { continued, failed, succeeded } from "../../src/index.js";
import { custom, startRig, thirdParty } from "../support/rig.js";

it("works a third-party job from poll to result", async () => {
  const seen: HandlerJob[] = [];
  await using rig = await startRig({
    handle: (job) => {
      seen.push(job);
      return succeeded({ summary: "scanned", externalExecutionId: "run-7" });
    },
  });
  const id = rig.emulator.addJob({
    actionType: thirdParty,
    configuration: { Project: "shop" },
    inputs: [{ name: "SourceOutput" }],
    outputs: [{ name: "Report" }],
  });
  const job = await rig.emulator.waitForJob(id, "over");
  await rig.event("job-reported");

  expect(job.status).toBe("Succeeded");
  expect(job.counts).toEqual({ offers: 1, details: 1, acknowledges: 1, results: 1 });
  expect(job.result?.document).toMatchObject({
    executionDetails: { summary: "scanned", externalExecutionId: "run-7" },
  });
  expect(job.result?.appId).toBe("partnerd");
  const { log, signal, draining, input, output, ...document } = seen[0] as HandlerJob;
  expect(document).toMatchObject({
    version: 1,
    jobId: id,
    region: "us-east-1",
    clientId: rig.emulator.defaultClient.clientId,
    actionType: thirdParty,
    configuration: { Project: "shop" },
    inputs: [{ name: "SourceOutput" }],
    outputs: [{ name: "Report" }],
  });
  expect(document).not.toHaveProperty("accountId");
  expect(Date.parse(document.deadline)).toBeGreaterThan(Date.now());
  expect(rig.emulator.violations()).toEqual([]);
});

it("works a custom job from poll to result, output variables included", async () => {
  await using rig = await startRig({
    handle: () =>
      succeeded({
        outputVariables: { BuildId: "b-1" },
        revision: { revision: "abc", changeIdentifier: "c1", created: "2026-11-23T10:00:00.000Z", summary: "a change" },
      }),
  });
  const id = rig.emulator.addJob({ actionType: custom, accountId: "123456789012" });
  const job = await rig.emulator.waitForJob(id, "over");
  expect(job.status).toBe("Succeeded");
  expect(job.counts).toEqual({ offers: 1, details: 0, acknowledges: 1, results: 1 });
  expect(job.result?.document).toMatchObject({
    outputVariables: { BuildId: "b-1" },
    currentRevision: {
      revision: "abc",
      changeIdentifier: "c1",
      revisionSummary: "a change",
      created: Date.UTC(2026, 10, 23, 10) / 1000,
    },
  });
});

it("reports a failure with its type and message", async () => {
  await using rig = await startRig({
    handle: () => failed("no such project", { type: "ConfigurationError", externalExecutionId: "run-8" }),
  });
  for (const actionType of [thirdParty, custom]) {
    const id = rig.emulator.addJob({ actionType });
    const job = await rig.emulator.waitForJob(id, "over");
    expect(job.status).toBe("Failed");
    expect(job.result?.document).toEqual({
      failureDetails: { type: "ConfigurationError", message: "no such project", externalExecutionId: "run-8" },
    });
  }
});

it("follows a chain of continuations to its end", async () => {
  const tokens: (string | undefined)[] = [];
  await using rig = await startRig({
    emulator: { settings: { continuationDelayMs: 1 } },
    handle: (job) => {
      tokens.push(job.continuationToken);
      const step = Number(job.continuationToken ?? 0);
      return step < 3 ? continued(String(step + 1), { percentComplete: step * 30 }) : succeeded();
    },
  });
  const id = rig.emulator.addJob({ actionType: thirdParty });
  await rig.emulator.waitFor(() => rig.emulator.lastJob(id)?.status === "Succeeded" && tokens.length === 4);
  expect(tokens).toEqual([undefined, "1", "2", "3"]);
  const first = rig.emulator.job(id);
  expect(first?.result?.document).toMatchObject({ continuationToken: "1", executionDetails: { percentComplete: 0 } });
  expect(rig.emulator.violations()).toEqual([]);
});

it("turns whatever a handler throws or returns into one truthful failure, and hurts no other job", async () => {
  const behaviours: Record<string, () => unknown> = {
    throws: () => {
      throw new Error("disk on fire");
    },
    rejects: () => Promise.reject("just a text"),
    nothing: () => undefined,
    nonsense: () => 42,
    impossible: () => ({ kind: "continued" }),
    variables: () => ({ kind: "succeeded", outputVariables: { A: "1" } }),
    long: () => ({ kind: "failed", message: "x".repeat(9_000) }),
    empty: () => ({ kind: "failed", message: "" }),
    good: () => ({ kind: "succeeded" }),
  };
  await using rig = await startRig({ handle: (job) => behaviours[job.configuration["do"] ?? ""]?.() });
  const ids = Object.keys(behaviours).map(
    (name) => [name, rig.emulator.addJob({ actionType: thirdParty, configuration: { do: name } })] as const,
  );
  for (const [name, id] of ids) {
    const job = await rig.emulator.waitForJob(id, "over");
    if (name === "good") {
      expect(job.status).toBe("Succeeded");
      continue;
    }
    expect(job.status).toBe("Failed");
    const document = job.result?.document as { failureDetails: { type: string; message: string } } | undefined;
    const { type, message } = document?.failureDetails ?? { type: "none", message: "" };
    expect(type).toBe("JobFailed");
    expect(message.length).toBeLessThanOrEqual(5_000);
    const expected = {
      throws: /disk on fire/,
      rejects: /just a text/,
      nothing: /nothing \(return/,
      nonsense: /a number/,
      impossible: /without a continuationToken/,
      variables: /third-party/,
      long: /truncated by partnerd/,
      empty: /without a reason/,
    }[name];
    expect(message).toMatch(expected ?? /never/);
  }
});
