// Documents for other tools: an IAM policy, an action type's definition, the schema of the configuration.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CreateCustomActionTypeCommandInput, UpdateActionTypeCommandInput } from "@aws-sdk/client-codepipeline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmulator } from "../../../src/emulator/emulator.js";
import { cli } from "./io.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "partnerd-documents-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const scan = { provider: "Acme-Scan", category: "Test", owner: "ThirdParty", version: "1", handler: "scan" };
const build = { provider: "Acme-Build", category: "Build", owner: "Custom", version: "1", handler: "scan" };

async function asked(command: string, more: object = {}, ...flags: readonly string[]) {
  const config = {
    regions: ["us-east-1", "eu-west-1"],
    actionTypes: [scan, build],
    handlers: { scan: { kind: "module", path: "./scan.js" } },
    clientTokens: { tokens: { "00000000-0000-4000-8000-000000000001": "a-token" } },
    ...more,
  };
  writeFileSync(join(folder, "partnerd.yaml"), JSON.stringify(config));
  const ran = await cli([...command.split(" "), "-c", join(folder, "partnerd.yaml"), ...flags], folder);
  return { ...ran, document: ran.code === 0 ? JSON.parse(ran.out) : undefined };
}

interface Statement {
  Sid: string;
  Action: string[];
  Resource: string | string[];
  Condition?: { StringEquals: { "aws:RequestedRegion": string[] } };
}
const statements = async (more?: object, ...flags: readonly string[]): Promise<readonly Statement[]> =>
  (await asked("iam-policy", more, ...flags)).document.Statement;

describe("iam-policy", () => {
  it("never names a resource for an operation that knows none, or it would deny it", async () => {
    for (const { Action, Resource } of await statements()) {
      if (Action.includes("codepipeline:PollForJobs")) continue;
      expect(Resource, Action.join()).toBe("*");
    }
  });

  it("allows what each flavour calls, in the Regions it is polled in, and nothing else", async () => {
    const all = (found: readonly Statement[]) => found.flatMap(({ Action }) => Action).sort();
    expect(all(await statements({ actionTypes: [scan] }))).toEqual([
      "codepipeline:AcknowledgeThirdPartyJob",
      "codepipeline:GetThirdPartyJobDetails",
      "codepipeline:PollForThirdPartyJobs",
      "codepipeline:PutThirdPartyJobFailureResult",
      "codepipeline:PutThirdPartyJobSuccessResult",
    ]);
    const custom = await statements(
      { actionTypes: [{ ...build, regions: ["cn-north-1"] }] },
      "--account",
      "123456789012",
    );
    expect(all(custom)).toEqual([
      "codepipeline:AcknowledgeJob",
      "codepipeline:GetJobDetails",
      "codepipeline:PollForJobs",
      "codepipeline:PutJobFailureResult",
      "codepipeline:PutJobSuccessResult",
    ]);
    expect(custom.find(({ Action }) => Action.includes("codepipeline:PollForJobs"))?.Resource).toEqual([
      "arn:aws-cn:codepipeline:cn-north-1:123456789012:actiontype:Custom/Build/Acme-Build/1",
    ]);
    expect(custom.at(-1)?.Condition?.StringEquals["aws:RequestedRegion"]).toEqual(["cn-north-1"]);
  });

  it("knows every operation that the gateways and the ledger make", async () => {
    const allowed = await statements({ ledger: { store: "dynamodb", table: "jobs", region: "eu-west-1" } }, "--doctor");
    const names = allowed.flatMap(({ Action }) => Action.map((action) => action.replace(/^.*:/, "")));
    for (const area of ["codepipeline", "ledger"]) {
      const sources = new URL(`../../../src/${area}/`, import.meta.url);
      for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
        if (!file.endsWith(".ts")) continue;
        const made = readFileSync(new URL(file, sources), "utf8").matchAll(/new (?:sdk\.)?([A-Z]\w+)Command\(/g);
        for (const [, operation] of made) expect(names, `${area}/${file}`).toContain(operation);
      }
    }
    expect(allowed.find(({ Sid }) => Sid === "PartnerdLedger")?.Resource).toEqual([
      "arn:aws:dynamodb:eu-west-1:*:table/jobs",
      "arn:aws:dynamodb:eu-west-1:*:table/jobs/index/*",
    ]);
  });
});

describe("action-type", () => {
  it("prints what CodePipeline takes for a custom type", async () => {
    const more = { actionTypes: [{ ...build, secretProperties: ["Key"], queryParam: { Project: "shop" } }] };
    const { document } = await asked("action-type Acme-Build", more);
    const input: CreateCustomActionTypeCommandInput = document;
    expect(input.configurationProperties).toMatchObject([
      { name: "Project", queryable: true, key: true, required: true, secret: false },
      { name: "Key", secret: true, key: false },
    ]);
    expect(await accepted("CreateCustomActionType", input)).toBe(200);
  });

  it("prints what CodePipeline takes for a partner's type, and a time limit above our own", async () => {
    const more = { actionTypes: [{ ...scan, jobTimeout: "10m", secretProperties: ["Key"] }] };
    const { document } = await asked("action-type Acme-Scan", more, "--account", "123456789012");
    const input: UpdateActionTypeCommandInput = document;
    expect(input.actionType?.executor).toMatchObject({ type: "JobWorker", jobTimeout: 900 });
    expect(input.actionType?.properties).toMatchObject([{ name: "Key", noEcho: true }]);
    expect(await accepted("UpdateActionType", input)).toBe(200);
  });

  it("prints what all entries of one action type need, whichever comes first", async () => {
    const entries = [
      { ...scan, regions: ["us-east-1"], jobTimeout: "10m", secretProperties: ["Key"] },
      { ...scan, regions: ["eu-west-1"], jobTimeout: "1h", secretProperties: ["Token", "Key"] },
    ];
    for (const actionTypes of [entries, entries.toReversed()]) {
      const { document } = await asked("action-type Acme-Scan", { actionTypes }, "--account", "123456789012");
      const input: UpdateActionTypeCommandInput = document;
      expect(input.actionType?.executor?.jobTimeout).toBe(3_900);
      expect(new Set(input.actionType?.properties?.map(({ name }) => name))).toEqual(new Set(["Key", "Token"]));
    }
  });

  it.each<readonly [string, object, readonly string[], RegExp]>([
    ["action-type Nobody", {}, [], /no action type of the provider Nobody.*Acme-Scan, Acme-Build/],
    ["action-type Acme-Scan", {}, [], /add --account/],
    ["action-type Acme-Scan", {}, ["--account", "12"], /12 digits/],
    ["action-type Acme-Build", { actionTypes: [build, { ...build, version: "2" }] }, [], /--type-version 1 or 2/],
  ])("says what is wrong with %s", async (command, more, flags, says) => {
    const { code, err, out } = await asked(command, more, ...flags);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(says);
  });
});

it("schema prints a schema without a configuration", async () => {
  const { code, out } = await cli(["schema"], folder);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ title: "partnerd configuration", additionalProperties: false });
});

/** The status with which a CodePipeline that checks its input against the model answers. */
async function accepted(operation: string, input: object): Promise<number> {
  const emulator = await startEmulator({});
  try {
    emulator.addActionType({ category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" });
    const answer = await fetch(emulator.url, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `CodePipeline_20150709.${operation}`,
        authorization:
          "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/codepipeline/aws4_request, SignedHeaders=host, Signature=0",
      },
      body: JSON.stringify(input),
    });
    return answer.status;
  } finally {
    await emulator.close();
  }
}
