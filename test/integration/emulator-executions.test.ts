// What happens to a job's pipeline while a worker has it: stopped, abandoned, retried; and the limits of a job and its type.
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import { Mistakes } from "../../src/emulator/scenario-documents.js";
import { call, control, customType, takeJob, withEmulator } from "../support/emulator-client.js";
import { FakeClock } from "../support/fake-clock.js";

const custom = { actionType: customType };
const executionId = "11111111-2222-4333-8444-555555555555";
const inExecution = { ...custom, pipeline: { executionId, stage: "Build" } };
const put = (url: string, jobId: string) => call(url, "PutJobSuccessResult", { jobId });

describe("an execution that is stopped", () => {
  test("lets what is in progress end, chains included, if it is not abandoned", () =>
    withEmulator(async (emulator, url) => {
      emulator.configure({ continuationDelayMs: 0 });
      const jobId = emulator.addJob(inExecution);
      await takeJob(url, "Custom");
      expect(emulator.stopExecution(executionId)).toEqual([]);
      expect((await call(url, "PutJobSuccessResult", { jobId, continuationToken: "t" })).code).toBe("ok");
      const next = await takeJob(url, "Custom");
      expect((await put(url, next.jobId)).code).toBe("ok");
      expect(emulator.lastJob(jobId)?.status).toBe("Succeeded");
    }));

  test("abandons every job that is not over, and tells no worker", () =>
    withEmulator(async (emulator, url) => {
      const [working = "", waiting = "", over = ""] = emulator.addJobs({ ...inExecution, count: 3 });
      const elsewhere = emulator.addJob(custom);
      const { json: polled } = await call(url, "PollForJobs", { actionTypeId: customType, maxBatchSize: 10 });
      for (const { id, nonce } of polled["jobs"] as { id: string; nonce: string }[]) {
        if (id === working || id === over) await call(url, "AcknowledgeJob", { jobId: id, nonce });
      }
      await put(url, over);
      const { json } = await control(url, `stop-execution/${executionId}`, { abandon: true });
      expect(json).toEqual({ abandoned: [working, waiting] });
      const states = [working, waiting, over, elsewhere].map((id) => emulator.job(id)?.status);
      expect(states).toEqual(["Abandoned", "Abandoned", "Succeeded", "Dispatched"]);
      expect((await call(url, "PollForJobs", { actionTypeId: customType, maxBatchSize: 10 })).json).toEqual({
        jobs: [],
      });
      expect((await put(url, working)).code).toBe("InvalidJobStateException");
      expect(emulator.counts().Abandoned).toBe(2);
    }));

  const answers = ["InvalidJobStateException", "JobNotFoundException", "accepted"] as const;
  test.each(answers)("answers the result of an abandoned job as it is set (%s), and nothing comes of it", (answer) =>
    withEmulator(async (emulator, url) => {
      emulator.configure({ putAfterAbandon: answer });
      const jobId = emulator.addJob(inExecution);
      await takeJob(url, "Custom");
      emulator.stopExecution(executionId, { abandon: true });
      const { code } = await call(url, "PutJobSuccessResult", { jobId, continuationToken: "t" });
      expect(code).toBe(answer === "accepted" ? "ok" : answer);
      expect(emulator.job(jobId)).toMatchObject({ status: "Abandoned" });
      expect(emulator.jobs()).toHaveLength(1);
      expect(emulator.violations()).toEqual([]);
    }),
  );

  const acknowledges = ["Failed", "InvalidNonceException", "JobNotFoundException"] as const;
  test.each(acknowledges)("answers the acknowledge of an abandoned job as it is set (%s)", (answer) =>
    withEmulator(async (emulator, url) => {
      emulator.configure({ acknowledgeAfterAbandon: answer });
      const jobId = emulator.addJob(inExecution);
      const { json } = await call(url, "PollForJobs", { actionTypeId: customType });
      const [{ nonce } = { nonce: "" }] = json["jobs"] as { nonce: string }[];
      emulator.stopExecution(executionId, { abandon: true });
      const acknowledged = await call(url, "AcknowledgeJob", { jobId, nonce });
      expect([acknowledged.code, acknowledged.json["status"]]).toEqual(
        answer === "Failed" ? ["ok", "Failed"] : [answer, undefined],
      );
    }),
  );
});

describe("a stage that is retried", () => {
  test("begins what failed with new jobs in the same execution, without a token", () =>
    withEmulator(async (emulator, url) => {
      emulator.configure({ continuationDelayMs: 0 });
      const output = { name: "Out", bucket: "the-bucket", key: "the/key" };
      const first = emulator.addJob({ ...inExecution, outputs: [output] });
      await takeJob(url, "Custom");
      await call(url, "PutJobSuccessResult", { jobId: first, continuationToken: "t" });
      const { jobId: failed } = await takeJob(url, "Custom");
      const failureDetails = { type: "JobFailed", message: "no" };
      await call(url, "PutJobFailureResult", { jobId: failed, failureDetails });
      const fine = emulator.addJob(inExecution);
      await takeJob(url, "Custom");
      await put(url, fine);
      const answer = await control(url, `retry-stage/${executionId}`, { stage: "Build" });
      const [again = "", ...more] = answer.json["ids"] as string[];
      expect(more).toEqual([]);
      const before = emulator.job(first);
      expect(emulator.job(failed)?.retriedBy).toBe(again);
      const job = emulator.job(again);
      expect(job).toMatchObject({ status: "Queued", outputs: [output], pipeline: { executionId, stage: "Build" } });
      expect(job?.continuationToken).toBeUndefined();
      expect(job?.pipeline.actionExecutionId).not.toBe(before?.pipeline.actionExecutionId);
      await takeJob(url, "Custom");
      expect((await put(url, again)).code).toBe("ok");
      const nothing = await control(url, `retry-stage/${executionId}`, {});
      expect(nothing.json).toEqual({ mistakes: ["executionId: has no failed action that can be retried"] });
    }));

  test("takes abandoned and timed out jobs for failed, and another stage's for none of its own", async () => {
    const clock = new FakeClock();
    await withEmulator(
      async (emulator) => {
        emulator.addJob({ ...inExecution, jobTimeoutMs: 1_000 });
        await clock.advance(1_000);
        emulator.addJob({ ...inExecution, pipeline: { executionId, stage: "Test" } });
        emulator.stopExecution(executionId, { abandon: true });
        expect(emulator.retryStage(executionId, { stage: "Test" })).toHaveLength(1);
        expect(emulator.retryStage(executionId)).toHaveLength(1);
        expect(() => emulator.retryStage("22222222-2222-4333-8444-555555555555")).toThrow(Mistakes);
      },
      { clock },
    );
  });
});

describe("the documented limits", () => {
  test("give a custom action a day, and a partner's an hour", async () => {
    const clock = new FakeClock();
    await withEmulator(
      async (emulator) => {
        const ids = [emulator.addJob({ actionType: { provider: "Acme-Scan" } }), emulator.addJob(custom)];
        const states = () => ids.map((id) => emulator.job(id)?.status);
        await clock.advance(3_600_000);
        expect(states()).toEqual(["TimedOut", "Queued"]);
        await clock.advance(82_800_000);
        expect(states()).toEqual(["TimedOut", "TimedOut"]);
      },
      { clock },
    );
  });

  const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`Name${i}`, "v"]));
  const artifacts = Array.from({ length: 6 }, (_, i) => ({ name: `In${i}` }));
  const refused: readonly [string, object, string][] = [
    ["11 properties", { configuration: many }, "configuration"],
    ["more than 100 KB", { configuration: { A: "x".repeat(60_000), B: "x".repeat(60_000) } }, "at most 102400"],
    ["6 artifacts for a custom type", { inputs: artifacts }, "inputs"],
  ];
  test.each(refused)("refuse a job with %s", async (_, part, told) => {
    await using emulator = await startEmulator();
    emulator.addActionType(customType);
    expect(() => emulator.addJob({ ...custom, ...part })).toThrow(told);
  });

  test("refuse a custom type of more than 5 artifacts, and let a partner's have 10", async () => {
    await using emulator = await startEmulator();
    const inputs = { minimumCount: 0, maximumCount: 10 };
    expect(() => emulator.addActionType({ ...customType, inputs })).toThrow("at most");
    emulator.addActionType({ provider: "Acme-Scan", inputs });
    expect(emulator.addJob({ actionType: { provider: "Acme-Scan" }, inputs: artifacts })).toMatch(/-/);
  });

  const regions = {
    "eu-west-1": "aws",
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eu-isoe-west-1": "aws-iso-e",
    "us-isof-south-1": "aws-iso-f",
    "eusc-de-east-1": "aws-eusc",
  };
  test.each(Object.entries(regions))(
    "write the ARN of a pipeline in %s with its partition",
    async (region, partition) => {
      await using emulator = await startEmulator();
      emulator.addActionType({ ...customType, regions: [region] });
      emulator.addJob({ ...custom, region });
      const { json } = await call(emulator.url, "PollForJobs", { actionTypeId: customType }, { region });
      expect(JSON.stringify(json)).toContain(`"pipelineArn":"arn:${partition}:codepipeline:${region}:`);
    },
  );
});
