// Every limit of the job API, each from both sides, written down by hand from AWS's documents: not from our model.
import { describe, expect, test } from "vitest";
import { call, clientToken, customType, takeJob, thirdPartyType, withEmulator } from "../support/emulator-client.js";

const unknownJob = "00000000-0000-4000-8000-000000000000";
const details = { type: "JobFailed", message: "m" };
const revision = { revision: "r", changeIdentifier: "c" };
const successOf = (part: object) => ({ jobId: unknownJob, clientToken, ...part });
const failureOf = (part: object) => ({ jobId: unknownJob, clientToken, failureDetails: { ...details, ...part } });

/** Operation, input for a text of that length, path in the error, least and greatest length. */
const texts: readonly (readonly [string, (text: string) => unknown, string, number, number])[] = [
  ["GetThirdPartyJobDetails", (jobId) => ({ jobId, clientToken }), "jobId", 1, 512],
  ["GetThirdPartyJobDetails", (token) => ({ jobId: "j", clientToken: token }), "clientToken", 1, 256],
  ["AcknowledgeThirdPartyJob", (nonce) => ({ jobId: "j", clientToken, nonce }), "nonce", 1, 50],
  ["AcknowledgeJob", (nonce) => ({ jobId: unknownJob, nonce }), "nonce", 1, 50],
  ["PutThirdPartyJobSuccessResult", (text) => successOf({ continuationToken: text }), "continuationToken", 1, 2_048],
  [
    "PutThirdPartyJobSuccessResult",
    (summary) => successOf({ executionDetails: { summary } }),
    "executionDetails.summary",
    1,
    2_048,
  ],
  [
    "PutThirdPartyJobSuccessResult",
    (externalExecutionId) => successOf({ executionDetails: { externalExecutionId } }),
    "executionDetails.externalExecutionId",
    1,
    1_500,
  ],
  [
    "PutJobSuccessResult",
    (text) => ({ jobId: unknownJob, currentRevision: { ...revision, revision: text } }),
    "currentRevision.revision",
    1,
    1_500,
  ],
  [
    "PutJobSuccessResult",
    (text) => ({ jobId: unknownJob, currentRevision: { ...revision, changeIdentifier: text } }),
    "currentRevision.changeIdentifier",
    1,
    100,
  ],
  [
    "PutJobSuccessResult",
    (revisionSummary) => ({ jobId: unknownJob, currentRevision: { ...revision, revisionSummary } }),
    "currentRevision.revisionSummary",
    1,
    2_048,
  ],
  ["PutThirdPartyJobFailureResult", (message) => failureOf({ message }), "failureDetails.message", 1, 5_000],
  [
    "PutThirdPartyJobFailureResult",
    (externalExecutionId) => failureOf({ externalExecutionId }),
    "failureDetails.externalExecutionId",
    1,
    1_500,
  ],
  ["PollForJobs", (provider) => ({ actionTypeId: { ...customType, provider } }), "actionTypeId.provider", 1, 35],
  ["PollForJobs", (version) => ({ actionTypeId: { ...customType, version } }), "actionTypeId.version", 1, 9],
];

describe("a text's length", () => {
  test.each(texts)("at %s", (operation, input, path, min, max) =>
    withEmulator(async (_emulator, url) => {
      const at = async (length: number) => call(url, operation, input("x".repeat(length)));
      for (const length of [min, max]) expect((await at(length)).code).not.toBe("ValidationException");
      for (const [length, constraint] of [
        [max + 1, `Member must have length less than or equal to ${max}`],
        [min - 1, `Member must have length greater than or equal to ${min}`],
      ] as const) {
        const answer = await at(length);
        expect([answer.status, answer.code]).toEqual([400, "ValidationException"]);
        expect(answer.message).toContain(`validation error`);
        expect(answer.message).toContain(`at '${path}' failed to satisfy constraint: ${constraint}`);
      }
    }),
  );
});

test("a custom job's id is a UUID in lower case", () =>
  withEmulator(async (_emulator, url) => {
    for (const jobId of [
      "job-1",
      unknownJob.toUpperCase().replace("0000-4", "000A-4"),
      `${unknownJob}0`,
      ` ${unknownJob}`,
    ]) {
      const answer = await call(url, "GetJobDetails", { jobId });
      expect(answer.code).toBe("ValidationException");
      expect(answer.message).toBe(
        `1 validation error detected: Value '${jobId}' at 'jobId' failed to satisfy constraint: Member must satisfy ` +
          "regular expression pattern: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
      );
    }
  }));

test.each([
  ["PollForJobs", { actionTypeId: customType, maxBatchSize: 0 }, "maxBatchSize"],
  ["PollForThirdPartyJobs", { actionTypeId: thirdPartyType, maxBatchSize: -1 }, "maxBatchSize"],
  ["PollForJobs", { actionTypeId: { ...customType, category: "build" } }, "actionTypeId.category"],
  ["PollForJobs", { actionTypeId: { ...customType, owner: "Partner" } }, "actionTypeId.owner"],
  ["PollForJobs", { actionTypeId: { ...customType, provider: "a b" } }, "actionTypeId.provider"],
  ["PollForJobs", { actionTypeId: customType, queryParam: { a: "1", b: "2" } }, "queryParam"],
  ["PollForJobs", { actionTypeId: customType, queryParam: { a: "with space" } }, "queryParam"],
  ["PollForJobs", { actionTypeId: customType, queryParam: { a: "x".repeat(51) } }, "queryParam"],
  ["PollForJobs", { actionTypeId: customType, queryParam: { ["x".repeat(51)]: "1" } }, "queryParam"],
  ["PollForJobs", {}, "actionTypeId"],
  ["PollForThirdPartyJobs", { actionTypeId: null }, "actionTypeId"],
  ["PollForThirdPartyJobs", { actionTypeId: { ...thirdPartyType, version: undefined } }, "actionTypeId.version"],
  ["GetThirdPartyJobDetails", { jobId: "j" }, "clientToken"],
  ["AcknowledgeThirdPartyJob", { jobId: "j", nonce: "1" }, "clientToken"],
  ["AcknowledgeThirdPartyJob", { jobId: "j", clientToken }, "nonce"],
  ["AcknowledgeJob", { jobId: unknownJob }, "nonce"],
  ["PutThirdPartyJobSuccessResult", { jobId: "j" }, "clientToken"],
  ["PutThirdPartyJobFailureResult", { jobId: "j", clientToken }, "failureDetails"],
  ["PutJobFailureResult", { jobId: unknownJob, failureDetails: { type: "JobFailed" } }, "failureDetails.message"],
  ["PutJobFailureResult", { jobId: unknownJob, failureDetails: { message: "m" } }, "failureDetails.type"],
  ["PutJobFailureResult", { jobId: unknownJob, failureDetails: { ...details, type: "Broken" } }, "failureDetails.type"],
  [
    "PutJobSuccessResult",
    { jobId: unknownJob, executionDetails: { percentComplete: 101 } },
    "executionDetails.percentComplete",
  ],
  [
    "PutJobSuccessResult",
    { jobId: unknownJob, executionDetails: { percentComplete: -1 } },
    "executionDetails.percentComplete",
  ],
  [
    "PutJobSuccessResult",
    { jobId: unknownJob, currentRevision: { revision: "r" } },
    "currentRevision.changeIdentifier",
  ],
  ["PutJobSuccessResult", { jobId: unknownJob, outputVariables: { "a b": "1" } }, "outputVariables"],
])("%s with %j is refused at %s", (operation, input, path) =>
  withEmulator(async (emulator, url) => {
    const answer = await call(url, operation, input);
    expect([answer.status, answer.code]).toEqual([400, "ValidationException"]);
    expect(answer.message).toContain(`at '${path}' failed to satisfy constraint: `);
    expect(emulator.violations()).toMatchObject([{ kind: "invalid-request", operation }]);
  }),
);

test("every failure type of the API is taken", () =>
  withEmulator(async (emulator, url) => {
    for (const type of [
      "JobFailed",
      "ConfigurationError",
      "PermissionError",
      "RevisionOutOfSync",
      "RevisionUnavailable",
      "SystemUnavailable",
    ]) {
      emulator.addJob({ actionType: customType });
      const { jobId } = await takeJob(url, "Custom");
      const answer = await call(url, "PutJobFailureResult", { jobId, failureDetails: { type, message: "m" } });
      expect([type, answer.code]).toEqual([type, "ok"]);
    }
  }));

test("several mistakes are told together, as AWS tells them", () =>
  withEmulator(async (_emulator, url) => {
    const answer = await call(url, "PutJobFailureResult", {
      jobId: "x",
      failureDetails: { type: "Broken", message: "" },
    });
    expect(answer.message).toBe(
      "3 validation errors detected: " +
        "Value 'x' at 'jobId' failed to satisfy constraint: Member must satisfy regular expression pattern: " +
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}; " +
        "Value 'Broken' at 'failureDetails.type' failed to satisfy constraint: Member must satisfy enum value set: " +
        "[JobFailed, ConfigurationError, PermissionError, RevisionOutOfSync, RevisionUnavailable, SystemUnavailable]; " +
        "Value '' at 'failureDetails.message' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  }));

test("tokens are not repeated in errors", () =>
  withEmulator(async (_emulator, url) => {
    const secret = `secret-${"x".repeat(3_000)}`;
    const answers = [
      await call(url, "GetThirdPartyJobDetails", { jobId: "j", clientToken: secret }),
      await call(url, "PutThirdPartyJobSuccessResult", { jobId: "j", clientToken, continuationToken: secret }),
      await call(url, "GetThirdPartyJobDetails", { jobId: "j", clientToken: [secret] }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(answer.text).not.toContain("secret-x");
    }
    expect(answers[0]?.message).toContain("Value at 'clientToken' failed to satisfy constraint");
  }));
