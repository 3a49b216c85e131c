// The job API through AWS's own client: a client that knows nothing of the emulator must be content with it.
import {
  AcknowledgeJobCommand,
  AcknowledgeThirdPartyJobCommand,
  GetJobDetailsCommand,
  GetThirdPartyJobDetailsCommand,
  PollForJobsCommand,
  PollForThirdPartyJobsCommand,
  PutJobFailureResultCommand,
  PutJobSuccessResultCommand,
  PutThirdPartyJobFailureResultCommand,
  PutThirdPartyJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";
import { describe, expect, test } from "vitest";
import {
  call,
  clientToken,
  customType,
  sdk,
  takeJob,
  thirdPartyType,
  withEmulator,
} from "../support/emulator-client.js";
import { FakeClock } from "../support/fake-clock.js";

const thirdParty = { actionType: { provider: "Acme-Scan" } };
const custom = { actionType: customType };

describe("a third-party job", () => {
  test("is polled as two ids, detailed, acknowledged and put", () =>
    withEmulator(async (emulator, url) => {
      const client = sdk(url);
      const id = emulator.addJob({
        ...thirdParty,
        configuration: { Level: "2" },
        inputs: [{ name: "In", revision: "abc", bucket: "the-bucket", key: "a/b/c" }],
        outputs: [{ name: "Out" }],
        encryptionKeyId: "arn:aws:kms:us-east-1:111122223333:key/k",
        pipeline: { name: "shop", stage: "Test", action: "Scan", actionExecutionId: "run-1" },
      });
      const polled = await client.send(
        new PollForThirdPartyJobsCommand({ actionTypeId: thirdPartyType, maxBatchSize: 5 }),
      );
      expect(polled.jobs).toEqual([{ clientId: emulator.defaultClient.clientId, jobId: id }]);
      const { jobDetails } = await client.send(new GetThirdPartyJobDetailsCommand({ jobId: id, clientToken }));
      expect(jobDetails).toMatchObject({
        id,
        nonce: expect.stringMatching(/^.{1,50}$/),
        data: {
          actionTypeId: thirdPartyType,
          actionConfiguration: { configuration: { Level: "2" } },
          pipelineContext: {
            pipelineName: "shop",
            stage: { name: "Test" },
            action: { name: "Scan", actionExecutionId: "run-1" },
          },
          inputArtifacts: [
            {
              name: "In",
              revision: "abc",
              location: { type: "S3", s3Location: { bucketName: "the-bucket", objectKey: "a/b/c" } },
            },
          ],
          outputArtifacts: [{ name: "Out", location: { type: "S3" } }],
          artifactCredentials: {
            accessKeyId: expect.any(String),
            secretAccessKey: expect.any(String),
            sessionToken: expect.any(String),
          },
          encryptionKey: { id: "arn:aws:kms:us-east-1:111122223333:key/k", type: "KMS" },
        },
      });
      expect(jobDetails?.data?.pipelineContext).not.toHaveProperty("pipelineArn");
      expect(jobDetails?.data?.pipelineContext).not.toHaveProperty("pipelineExecutionId");
      expect(jobDetails?.data).not.toHaveProperty("continuationToken");
      const nonce = jobDetails?.nonce;
      const { status } = await client.send(new AcknowledgeThirdPartyJobCommand({ jobId: id, clientToken, nonce }));
      expect(status).toBe("InProgress");
      await client.send(
        new PutThirdPartyJobSuccessResultCommand({
          jobId: id,
          clientToken,
          executionDetails: { summary: "all well", externalExecutionId: "x", percentComplete: 100 },
          currentRevision: { revision: "r", changeIdentifier: "c", created: new Date(1_577_836_800_123) },
        }),
      );
      expect(emulator.job(id)).toMatchObject({
        status: "Succeeded",
        result: {
          appId: "the-worker",
          document: {
            executionDetails: { summary: "all well", externalExecutionId: "x", percentComplete: 100 },
            currentRevision: { revision: "r", changeIdentifier: "c", created: 1_577_836_800.123 },
          },
        },
        counts: { offers: 1, details: 1, acknowledges: 1, results: 1 },
      });
      expect(emulator.violations()).toEqual([]);
    }));

  test("that fails keeps the failure's details", () =>
    withEmulator(async (emulator, url) => {
      const id = emulator.addJob(thirdParty);
      await takeJob(url, "ThirdParty");
      const failureDetails = {
        type: "ConfigurationError",
        message: "no such project",
        externalExecutionId: "7",
      } as const;
      await sdk(url).send(new PutThirdPartyJobFailureResultCommand({ jobId: id, clientToken, failureDetails }));
      expect(emulator.job(id)).toMatchObject({ status: "Failed", result: { document: { failureDetails } } });
    }));

  test("may have any text of up to 512 characters as its id", () =>
    withEmulator(async (emulator, url) => {
      const id = `../ü "'<>%00 ${"x".repeat(495)}`.slice(0, 512);
      emulator.addJob({ ...thirdParty, id });
      const { jobId, nonce } = await takeJob(url, "ThirdParty");
      expect(jobId).toBe(id);
      expect(nonce).not.toBe("");
      expect(emulator.job(id)?.status).toBe("InProgress");
    }));

  test("refuses a wrong token at every call, without repeating it", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(thirdParty);
      const { nonce } = await takeJob(url, "ThirdParty");
      const wrong = { jobId, clientToken: "a-wrong-token" };
      for (const [operation, input] of [
        ["GetThirdPartyJobDetails", wrong],
        ["AcknowledgeThirdPartyJob", { ...wrong, nonce }],
        ["PutThirdPartyJobSuccessResult", wrong],
        ["PutThirdPartyJobFailureResult", { ...wrong, failureDetails: { type: "JobFailed", message: "m" } }],
      ] as const) {
        const answer = await call(url, operation, input);
        expect([operation, answer.status, answer.code]).toEqual([operation, 400, "InvalidClientTokenException"]);
        expect(answer.text).not.toContain("a-wrong-token");
      }
      expect(emulator.job(jobId)?.status).toBe("InProgress");
    }));

  test("follows its client's token when that changes", () =>
    withEmulator(async (emulator, url) => {
      const client = emulator.addClient({ clientToken: "old" });
      const jobId = emulator.addJob({ ...thirdParty, clientId: client.clientId });
      emulator.addClient({ clientId: client.clientId, clientToken: "new" });
      const details = (token: string) => call(url, "GetThirdPartyJobDetails", { jobId, clientToken: token });
      expect((await details("old")).code).toBe("InvalidClientTokenException");
      expect((await details("new")).code).toBe("ok");
    }));

  test("is unknown to the custom API, and a custom job to the third-party one", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(thirdParty);
      const customId = emulator.addJob(custom);
      expect((await call(url, "GetJobDetails", { jobId })).code).toBe("JobNotFoundException");
      const answer = await call(url, "GetThirdPartyJobDetails", { jobId: customId, clientToken });
      expect(answer.code).toBe("JobNotFoundException");
    }));
});

describe("a custom job", () => {
  test("is polled whole, acknowledged and put with output variables", () =>
    withEmulator(async (emulator, url) => {
      const client = sdk(url);
      const id = emulator.addJob({ ...custom, accountId: "999988887777", configuration: { Password: "secret" } });
      const { jobs } = await client.send(new PollForJobsCommand({ actionTypeId: customType }));
      expect(jobs).toMatchObject([
        {
          id,
          accountId: "999988887777",
          data: {
            actionConfiguration: { configuration: { Password: "secret" } },
            pipelineContext: {
              pipelineArn: "arn:aws:codepipeline:us-east-1:999988887777:emulated-pipeline",
              pipelineExecutionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
            },
          },
        },
      ]);
      const nonce = jobs?.[0]?.nonce;
      const { status } = await client.send(new AcknowledgeJobCommand({ jobId: id, nonce }));
      expect(status).toBe("InProgress");
      await client.send(new PutJobSuccessResultCommand({ jobId: id, outputVariables: { "a@b-c_1": "", key: "ü" } }));
      expect(emulator.job(id)?.result?.document).toEqual({ outputVariables: { "a@b-c_1": "", key: "ü" } });
      expect(emulator.violations()).toEqual([]);
    }));

  test("has no nonce in its details, and new credentials each time", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(custom);
      await takeJob(url, "Custom");
      const client = sdk(url);
      const first = await client.send(new GetJobDetailsCommand({ jobId }));
      const second = await client.send(new GetJobDetailsCommand({ jobId }));
      expect(first.jobDetails).toMatchObject({ id: jobId, accountId: "111122223333" });
      expect(first.jobDetails).not.toHaveProperty("nonce");
      const token = (answer: typeof first) => answer.jobDetails?.data?.artifactCredentials?.sessionToken;
      expect(token(first)).not.toBe(token(second));
    }));

  test("fails like any other", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(custom);
      await takeJob(url, "Custom");
      const failureDetails = { type: "SystemUnavailable", message: "later" } as const;
      await sdk(url).send(new PutJobFailureResultCommand({ jobId, failureDetails }));
      expect(emulator.job(jobId)).toMatchObject({ status: "Failed", result: { kind: "failure" } });
    }));

  test("takes 122,880 bytes of output variables, counted in UTF-8, and not one more", () =>
    withEmulator(async (emulator, url) => {
      const put = async (value: string) => {
        const jobId = emulator.addJob(custom);
        await takeJob(url, "Custom");
        return (await call(url, "PutJobSuccessResult", { jobId, outputVariables: { keyy: value } })).code;
      };
      expect(await put("x".repeat(122_876))).toBe("ok");
      expect(await put("x".repeat(122_877))).toBe("OutputVariablesSizeExceededException");
      expect(await put("ü".repeat(61_438))).toBe("ok");
      expect(await put("ü".repeat(61_439))).toBe("OutputVariablesSizeExceededException");
    }));

  test("takes no output variables together with a continuation token", () =>
    withEmulator(async (emulator, url) => {
      const jobId = emulator.addJob(custom);
      await takeJob(url, "Custom");
      const answer = await call(url, "PutJobSuccessResult", {
        jobId,
        continuationToken: "t",
        outputVariables: { a: "b" },
      });
      expect(answer.code).toBe("ValidationException");
      expect(emulator.job(jobId)?.status).toBe("InProgress");
      expect((await call(url, "PutJobSuccessResult", { jobId, continuationToken: "t" })).code).toBe("ok");
    }));
});

describe("a queryable property", () => {
  const queried = { category: "Build", owner: "Custom", provider: "Queried", version: "1" } as const;
  const poll = (url: string, queryParam?: unknown) =>
    call(url, "PollForJobs", {
      actionTypeId: queried,
      maxBatchSize: 10,
      ...(queryParam !== undefined && { queryParam }),
    });

  test("must be named by the poll, which then finds only jobs with that value", () =>
    withEmulator(async (emulator, url) => {
      emulator.addActionType({ ...queried, properties: [{ name: "Project", queryable: true }] });
      const one = emulator.addJob({ actionType: queried, configuration: { Project: "one" } });
      emulator.addJob({ actionType: queried, configuration: { Project: "two" } });
      const { json } = await poll(url, { Project: "one" });
      expect(json["jobs"]).toMatchObject([{ id: one }]);
      for (const wrong of [undefined, {}, { Other: "one" }]) {
        expect((await poll(url, wrong)).code).toBe("ValidationException");
      }
    }));

  test("that the type has not must not be named", () =>
    withEmulator(async (_emulator, url) => {
      const answer = await call(url, "PollForJobs", { actionTypeId: customType, queryParam: { Project: "one" } });
      expect(answer.code).toBe("ValidationException");
      expect((await call(url, "PollForJobs", { actionTypeId: customType, queryParam: null })).code).toBe("ok");
      expect((await call(url, "PollForJobs", { actionTypeId: customType, queryParam: {} })).code).toBe("ok");
    }));

  test("does not concern PollForThirdPartyJobs", () =>
    withEmulator(async (emulator, url) => {
      emulator.addActionType({ provider: "Acme-Scan", properties: [{ name: "Project", queryable: true }] });
      const id = emulator.addJob({ ...thirdParty, configuration: { Project: "one" } });
      expect((await takeJob(url, "ThirdParty")).jobId).toBe(id);
    }));
});

describe("a poll", () => {
  test.each([
    ["PollForJobs", { ...thirdPartyType }, "ActionType with owner 'ThirdParty' is not supported"],
    ["PollForJobs", { ...customType, owner: "AWS" }, "ActionType with owner 'AWS' is not supported"],
    ["PollForThirdPartyJobs", { ...customType }, "ActionType with owner 'Custom' is not supported"],
  ])("by %s serves only its own owner", (operation, actionTypeId, message) =>
    withEmulator(async (_emulator, url) => {
      const answer = await call(url, operation, { actionTypeId });
      expect([answer.code, answer.message]).toEqual(["ValidationException", message]);
    }),
  );

  test("for a type that is not there, or not in this Region, is ActionTypeNotFoundException", () =>
    withEmulator(async (_emulator, url) => {
      const unknown = { actionTypeId: { ...customType, provider: "Nobody" } };
      const answer = await call(url, "PollForJobs", unknown);
      expect(answer.code).toBe("ActionTypeNotFoundException");
      expect(answer.message).toBe(
        "ActionType (Category: 'Build', Owner: 'Custom', Provider: 'Nobody', Version: '1') is not available",
      );
      const elsewhere = await call(url, "PollForJobs", { actionTypeId: customType }, { region: "eu-west-1" });
      expect(elsewhere.code).toBe("ActionTypeNotFoundException");
    }));

  test("finds nothing as an empty list", () =>
    withEmulator(async (_emulator, url) => {
      expect((await call(url, "PollForJobs", { actionTypeId: customType })).json).toEqual({ jobs: [] });
    }));
});

test("forty polls at once are never offered the same job, and together all of them", () =>
  withEmulator(async (emulator, url) => {
    const ids = emulator.addJobs({ ...custom, count: 100 });
    const polls = Array.from({ length: 40 }, () =>
      call(url, "PollForJobs", { actionTypeId: customType, maxBatchSize: 3 }),
    );
    const offered = (await Promise.all(polls)).flatMap(
      (answer) => answer.json["jobs"] as { id: string; nonce: string }[],
    );
    expect(offered.map((job) => job.id).sort()).toEqual([...ids].sort());
    expect(new Set(offered.map((job) => job.nonce)).size).toBe(100);
  }));

test("two results at once are one accepted and one refused", () =>
  withEmulator(async (emulator, url) => {
    const jobId = emulator.addJob(custom);
    await takeJob(url, "Custom");
    const failureDetails = { type: "JobFailed", message: "m" };
    const answers = await Promise.all([
      call(url, "PutJobSuccessResult", { jobId }),
      call(url, "PutJobFailureResult", { jobId, failureDetails }),
    ]);
    expect(answers.map((answer) => answer.code).sort()).toEqual(["InvalidJobStateException", "ok"]);
    expect(emulator.violations()).toMatchObject([{ kind: "contradictory-result", jobId }]);
  }));

test("a job times out by its own limit, else by its type's, else by the setting", async () => {
  const clock = new FakeClock();
  await withEmulator(
    async (emulator) => {
      emulator.addActionType({ provider: "Quick", jobTimeout: 60 });
      const quick = { actionType: { provider: "Quick" } };
      const ids = [
        emulator.addJob({ ...quick, jobTimeoutMs: 1_000 }),
        emulator.addJob(quick),
        emulator.addJob(thirdParty),
      ];
      const over = () => ids.map((id) => emulator.job(id)?.status === "TimedOut");
      await clock.advance(1_000);
      expect(over()).toEqual([true, false, false]);
      await clock.advance(59_000);
      expect(over()).toEqual([true, true, false]);
      await clock.advance(60_000);
      expect(over()).toEqual([true, true, true]);
    },
    { clock, settings: { jobTimeoutMs: 120_000 } },
  );
});

test("a null member counts as one left out", () =>
  withEmulator(async (emulator, url) => {
    const jobId = emulator.addJob(custom);
    await takeJob(url, "Custom");
    const result = { jobId, continuationToken: null, outputVariables: { a: "b" }, executionDetails: null };
    expect((await call(url, "PutJobSuccessResult", result)).code).toBe("ok");
    expect(emulator.job(jobId)).toMatchObject({ status: "Succeeded" });
    expect(emulator.job(jobId)?.result?.document).toEqual({ outputVariables: { a: "b" } });
  }));

test("reset leaves no timer behind, whatever the jobs were doing", async () => {
  const clock = new FakeClock();
  await withEmulator(
    async (emulator, url) => {
      emulator.addJobs({ ...custom, count: 3 });
      emulator.addJob({ ...custom, delayMs: 60_000 });
      await takeJob(url, "Custom");
      await call(url, "PollForJobs", { actionTypeId: customType });
      emulator.reset();
      expect(clock.pending).toBe(0);
      await clock.advance(10_000_000);
      expect(Object.values(emulator.counts())).toEqual(Object.values(emulator.counts()).map(() => 0));
    },
    { clock },
  );
});

test("Regions have jobs of their own, even with the same id", () =>
  withEmulator(async (emulator, url) => {
    emulator.addActionType({ provider: "Acme-Scan", regions: ["eu-west-1", "us-east-1"] });
    for (const region of ["eu-west-1", "us-east-1"]) emulator.addJob({ ...thirdParty, region, id: "same" });
    await takeJob(url, "ThirdParty", { region: "eu-west-1" });
    expect(emulator.job("same", "eu-west-1")?.status).toBe("InProgress");
    expect(emulator.job("same", "us-east-1")?.status).toBe("Queued");
    expect((await sdk(url).send(new PollForThirdPartyJobsCommand({ actionTypeId: thirdPartyType }))).jobs).toHaveLength(
      1,
    );
  }));

test("a continuation offers a new job with the token, of the same action execution, and ends with a plain success", () => {
  const clock = new FakeClock();
  return withEmulator(
    async (emulator, url) => {
      const first = emulator.addJob({ ...thirdParty, configuration: { Level: "3" } });
      await takeJob(url, "ThirdParty");
      await call(url, "PutThirdPartyJobSuccessResult", { jobId: first, clientToken, continuationToken: "where I was" });
      const empty = await call(url, "PollForThirdPartyJobs", { actionTypeId: thirdPartyType });
      expect(empty.json["jobs"]).toEqual([]);
      await clock.advance(30_000);
      const { jobId } = await takeJob(url, "ThirdParty");
      expect(jobId).not.toBe(first);
      const details = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken });
      expect(details.json["jobDetails"]).toMatchObject({
        data: {
          continuationToken: "where I was",
          actionConfiguration: { configuration: { Level: "3" } },
          pipelineContext: { action: { actionExecutionId: emulator.job(first)?.pipeline.actionExecutionId } },
        },
      });
      await call(url, "PutThirdPartyJobSuccessResult", { jobId, clientToken });
      expect(emulator.lastJob(first)).toMatchObject({ id: jobId, status: "Succeeded", continues: first });
      expect(emulator.counts()).toMatchObject({ Succeeded: 2, Created: 0, Queued: 0 });
    },
    { clock, settings: { continuationDelayMs: 30_000 } },
  );
});

test("a job polled and left alone is offered again, with the fresh nonce, when its time is over", () => {
  const clock = new FakeClock();
  return withEmulator(
    async (emulator, url) => {
      const jobId = emulator.addJob(custom);
      const poll = async () =>
        (await call(url, "PollForJobs", { actionTypeId: customType })).json["jobs"] as { nonce: string }[];
      const [first] = await poll();
      expect(await poll()).toEqual([]);
      await clock.advance(60_000);
      const [again] = await poll();
      const acknowledge = async (nonce = "") => (await call(url, "AcknowledgeJob", { jobId, nonce })).code;
      expect(await acknowledge(first?.nonce)).toBe("InvalidNonceException");
      expect(await acknowledge(again?.nonce)).toBe("ok");
    },
    { clock, settings: { redeliveryMs: 60_000 } },
  );
});

test("a job that nobody knows is JobNotFoundException for every call", () =>
  withEmulator(async (_emulator, url) => {
    const jobId = "00000000-0000-4000-8000-00000000dead";
    const failureDetails = { type: "JobFailed", message: "m" };
    for (const [operation, input] of [
      ["GetThirdPartyJobDetails", { clientToken }],
      ["AcknowledgeThirdPartyJob", { clientToken, nonce: "1" }],
      ["PutThirdPartyJobSuccessResult", { clientToken }],
      ["PutThirdPartyJobFailureResult", { clientToken, failureDetails }],
      ["GetJobDetails", {}],
      ["AcknowledgeJob", { nonce: "1" }],
      ["PutJobSuccessResult", {}],
      ["PutJobFailureResult", { failureDetails }],
    ] as const) {
      const answer = await call(url, operation, { jobId, ...input });
      expect([operation, answer.status, answer.code]).toEqual([operation, 400, "JobNotFoundException"]);
    }
  }));

test("jobs that are over are forgotten beyond keepEnded, the oldest first", () =>
  withEmulator(
    async (emulator, url) => {
      const ids = emulator.addJobs({ ...custom, count: 3 });
      for (const jobId of ids) {
        await takeJob(url, "Custom");
        await call(url, "PutJobSuccessResult", { jobId });
      }
      expect(emulator.jobs().map((job) => job.id)).toEqual(ids.slice(1));
      expect(emulator.counts().Succeeded).toBe(2);
      expect((await call(url, "PutJobSuccessResult", { jobId: ids[0] })).code).toBe("JobNotFoundException");
    },
    { settings: { keepEnded: 2 } },
  ));
