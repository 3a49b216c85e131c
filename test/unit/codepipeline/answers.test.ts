// What CodePipeline answered may be anything: it is read as meant, or said to be unreadable, and never guessed.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { readJobData, type SdkJobData, UnreadableAnswer } from "../../../src/codepipeline/answers.js";
import { key } from "./thrown.js";

/** Reads data that came off the wire as JSON, whatever its shape. */
function read(data: unknown, accountId?: unknown) {
  return readJobData(key, data as SdkJobData, accountId);
}

/** Checks that the data is refused, and with which words. */
function refuse(data: unknown, words: string, accountId?: unknown): void {
  expect(() => read(data, accountId)).toThrow(UnreadableAnswer);
  expect(() => read(data, accountId)).toThrow(words);
}

const nothing = { key, configuration: {}, pipeline: {}, inputs: [], outputs: [] };

describe("a job's data", () => {
  it("is read whole, and members that nobody knows are ignored", () => {
    const job = read(
      {
        __type: "JobData",
        future: { x: 1 },
        actionTypeId: { category: "Test" },
        actionConfiguration: { __type: "ActionConfiguration", configuration: { Level: "2", Empty: "" } },
        pipelineContext: {
          __type: "PipelineContext",
          pipelineName: "Shop",
          pipelineArn: "arn:aws:codepipeline:us-east-1:111122223333:Shop",
          pipelineExecutionId: "exec-1",
          stage: { name: "Test", future: true },
          action: { name: "Scan", actionExecutionId: "action-1" },
        },
        inputArtifacts: [
          {
            name: "App",
            revision: "r1",
            location: { type: "S3", s3Location: { bucketName: "bucket", objectKey: "Shop/App/x" } },
          },
        ],
        outputArtifacts: [
          { name: "Report", revision: null, location: { type: "S3", s3Location: { bucketName: "b", objectKey: "k" } } },
        ],
        artifactCredentials: { accessKeyId: "AKIA", secretAccessKey: "sk", sessionToken: "st" },
        continuationToken: "page-2",
        encryptionKey: { id: "key-1", type: "KMS" },
      },
      "111122223333",
    );
    expect(job).toMatchObject({
      key,
      accountId: "111122223333",
      configuration: { Level: "2", Empty: "" },
      pipeline: {
        pipelineName: "Shop",
        stageName: "Test",
        actionName: "Scan",
        actionExecutionId: "action-1",
        pipelineArn: "arn:aws:codepipeline:us-east-1:111122223333:Shop",
        pipelineExecutionId: "exec-1",
      },
      inputs: [{ name: "App", revision: "r1", location: { bucket: "bucket", objectKey: "Shop/App/x" } }],
      outputs: [{ name: "Report", location: { bucket: "b", objectKey: "k" } }],
      continuationToken: "page-2",
      access: { encryptionKeyId: "key-1" },
    });
    expect(job.access?.credentials.secretAccessKey.reveal()).toBe("sk");
  });

  it("shows no credential when it is written out", () => {
    const job = read({ artifactCredentials: { accessKeyId: "AKIA-x", secretAccessKey: "sk-x", sessionToken: "st-x" } });
    for (const text of [JSON.stringify(job), inspect(job, { depth: 9, showHidden: true })]) {
      expect(text).not.toMatch(/AKIA-x|sk-x|st-x/);
    }
  });

  it.each<readonly [string, unknown]>([
    ["no member at all", {}],
    [
      "every member null",
      {
        actionConfiguration: null,
        pipelineContext: null,
        inputArtifacts: null,
        outputArtifacts: null,
        artifactCredentials: null,
        continuationToken: null,
        encryptionKey: null,
      },
    ],
    ["an empty continuation token", { continuationToken: "" }],
    [
      "null inside its members",
      { actionConfiguration: { configuration: null }, pipelineContext: { stage: null, action: null } },
    ],
    ["empty names", { pipelineContext: { pipelineName: "", stage: { name: "" }, action: {} } }],
  ])("may have %s: all of it is optional", (_what, data) => {
    expect(read(data, null)).toEqual(nothing);
  });

  it.each<readonly [string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a text", "data"],
    ["a number", 7],
    ["true", true],
    ["a list", []],
  ])("must be there: %s is none", (_what, data) => {
    refuse(data, "the answer has no job data");
  });
});

describe("the action's configuration", () => {
  const withConfiguration = (configuration: unknown) => ({ actionConfiguration: { configuration } });

  it("takes values of any length and leaves out what is null", () => {
    const long = "v".repeat(200_000);
    expect(read(withConfiguration({ A: long, B: null })).configuration).toEqual({ A: long });
  });

  it("keeps names that objects know by themselves, and inherits nothing", () => {
    const { configuration } = read(
      JSON.parse('{"actionConfiguration":{"configuration":{"__proto__":"p","constructor":"c"}}}'),
    );
    expect(Object.entries(configuration)).toEqual([
      ["__proto__", "p"],
      ["constructor", "c"],
    ]);
    expect(read({}).configuration["toString"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["p"]).toBeUndefined();
  });

  it.each<readonly [string, unknown]>([
    ["a number", 7],
    ["true", true],
    ["an object", { a: "b" }],
    ["a list", ["a"]],
  ])("is refused when one value is %s, by the property's name and without its value", (_what, value) => {
    refuse(withConfiguration({ ["P".repeat(500)]: value }), `configuration property ${"P".repeat(60)} is no text`);
  });

  it.each<readonly [string, unknown]>([
    ["a text", "a"],
    ["a list", ["a"]],
    ["a number", 7],
    ["true", true],
  ])("is refused when it is %s", (_what, configuration) => {
    refuse(withConfiguration(configuration), "the answer's action configuration is no map");
  });

  it.each<readonly [string, unknown]>([
    ["a text", "a"],
    ["a list", [{ configuration: {} }]],
    ["a number", 7],
  ])("is refused when what should hold it is %s: the handler would run without it", (_what, actionConfiguration) => {
    refuse({ actionConfiguration }, "the answer's action configuration is no map");
  });
});

describe("the pipeline's context", () => {
  it.each<readonly [string, unknown]>([
    ["pipelineName", { pipelineName: 7 }],
    ["stage name", { stage: { name: {} } }],
    ["action name", { action: { name: [] } }],
    ["actionExecutionId", { action: { actionExecutionId: true } }],
    ["pipelineArn", { pipelineArn: 7 }],
    ["pipelineExecutionId", { pipelineExecutionId: {} }],
  ])("is refused when %s is no text", (name, pipelineContext) => {
    refuse({ pipelineContext }, `the answer's ${name} is no text`);
  });

  it.each<readonly [string, unknown]>([
    ["pipeline context", "Shop"],
    ["pipeline context", [{ pipelineName: "Shop" }]],
    ["stage", { stage: "Test" }],
    ["action", { action: ["Scan"] }],
  ])("is refused when its %s is no map: %j", (name, pipelineContext) => {
    refuse({ pipelineContext }, `the answer's ${name} is no map`);
  });
});

describe("artifacts", () => {
  it.each<readonly [string, unknown]>([
    ["a text", "App"],
    ["an object", { 0: { name: "App" } }],
    ["a number", 1],
  ])("must come as a list: %s is none", (_what, list) => {
    refuse({ inputArtifacts: list }, "the answer's inputArtifacts is no list");
    refuse({ outputArtifacts: list }, "the answer's outputArtifacts is no list");
  });

  it.each<readonly [string, unknown, string]>([
    ["null", null, "has no inputArtifacts entry's name"],
    ["a text", "App", "has no inputArtifacts entry's name"],
    ["without a name", {}, "has no inputArtifacts entry's name"],
    ["with an empty name", { name: "" }, "has no inputArtifacts entry's name"],
    ["with a number for a name", { name: 7 }, "inputArtifacts entry's name is no text"],
    ["with a name too long", { name: "n".repeat(101) }, "has 101 characters (at most 100)"],
    ["with a revision that is no text", { name: "A", revision: 7 }, "artifact revision is no text"],
    [
      "with a bucket that is no text",
      { name: "A", location: { s3Location: { bucketName: 7 } } },
      "bucketName is no text",
    ],
    ["with a key that is no text", { name: "A", location: { s3Location: { objectKey: {} } } }, "objectKey is no text"],
  ])("are refused when one is %s", (_what, artifact, words) => {
    refuse({ inputArtifacts: [{ name: "Good" }, artifact] }, words);
  });

  it.each<readonly [string, unknown]>([
    ["no location", undefined],
    ["null for it", null],
    ["no S3 location", {}],
    ["null for the S3 location", { type: "S3", s3Location: null }],
    ["a bucket alone", { s3Location: { bucketName: "b" } }],
    ["a key alone", { s3Location: { objectKey: "k" } }],
    ["empty texts", { s3Location: { bucketName: "", objectKey: "" } }],
  ])("have no location when there is %s", (_what, location) => {
    expect(read({ outputArtifacts: [{ name: "A", location }] }).outputs).toEqual([{ name: "A" }]);
  });
});

describe("access to artifacts", () => {
  const credentials = { accessKeyId: "a", secretAccessKey: "s", sessionToken: "t" };

  it("needs all three credentials", () => {
    for (const name of Object.keys(credentials)) {
      for (const value of [undefined, null, "", 7, {}]) {
        expect(read({ artifactCredentials: { ...credentials, [name]: value } }).access).toBeUndefined();
      }
    }
  });

  it.each<readonly [string, unknown]>([
    ["a text", "credentials"],
    ["a number", 7],
    ["a list", ["a", "s", "t"]],
  ])("is none when the credentials are %s", (_what, artifactCredentials) => {
    expect(read({ artifactCredentials }).access).toBeUndefined();
  });

  it.each<readonly [string, unknown]>([
    ["none", undefined],
    ["null", null],
    ["one without an id", { type: "KMS" }],
    ["one with an empty id", { id: "" }],
  ])("is by the AWS managed key when the encryption key is %s", (_what, encryptionKey) => {
    const { access } = read({ artifactCredentials: credentials, encryptionKey });
    expect(access && "encryptionKeyId" in access).toBe(false);
  });
});

describe("other members", () => {
  it.each<readonly [string, object, unknown]>([
    ["continuationToken", { continuationToken: 7 }, undefined],
    ["continuationToken", { continuationToken: {} }, undefined],
    ["accountId", {}, 111122223333],
  ])("are refused when they are no text: %s", (name, data, accountId) => {
    refuse(data, `the answer's ${name} is no text`, accountId);
  });
});
