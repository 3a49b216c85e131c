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

function configured(more: object = {}): void {
  const config = {
    regions: ["us-east-1", "eu-west-1"],
    actionTypes: [scan, build],
    handlers: { scan: { kind: "module", path: "./scan.js" } },
    clientTokens: { tokens: { "00000000-0000-4000-8000-000000000001": "a-token" } },
    ...more,
  };
  writeFileSync(join(folder, "partnerd.yaml"), JSON.stringify(config));
}

async function asked(command: string, more: object = {}, ...flags: readonly string[]) {
  configured(more);
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

  it.each([
    ["us-east-1", "aws"],
    ["cn-north-1", "aws-cn"],
    ["us-gov-west-1", "aws-us-gov"],
    ["eusc-de-east-1", "aws-eusc"],
    ["us-iso-east-1", "aws-iso"],
    ["us-isob-east-1", "aws-iso-b"],
    ["eu-isoe-west-1", "aws-iso-e"],
    ["us-isof-south-1", "aws-iso-f"],
  ])("names resources of %s in the partition %s", async (region, partition) => {
    const found = await statements({ regions: [region], actionTypes: [build], ledger: { store: "dynamodb" } });
    const arns = found.flatMap(({ Resource }) => Resource).filter((each) => each !== "*");
    expect(arns.length).toBeGreaterThan(2);
    for (const arn of arns) expect(arn).toMatch(new RegExp(`^arn:${partition}:`));
  });

  it("prints both sides of each account: what may be assumed, what a role may do, and whom it trusts", async () => {
    const [shop, blog] = ["arn:aws:iam::111111111111:role/partnerd", "arn:aws:iam::222222222222:role/x/partnerd"];
    const more = {
      accounts: {
        default: {},
        shop: { roleArn: shop, externalId: "partner-7" },
        blog: { roleArn: blog },
        docs: { profile: "docs" },
      },
      actionTypes: [
        { ...scan, accounts: ["default", "shop"] },
        { ...build, accounts: ["shop", "docs", "blog"] },
      ],
      ledger: { store: "dynamodb", table: "jobs", region: "eu-west-1" },
    };
    const { document, err } = await asked("iam-policy", more, "--account", "999999999999");
    expect(err).toBe("");
    const sids = (policy: { Statement: Statement[] }) => policy.Statement.map(({ Sid }) => Sid);
    expect(sids(document.identity)).toEqual(["PartnerdAssumeRoles", "PartnerdThirdPartyJobs", "PartnerdLedger"]);
    expect(document.identity.Statement[0].Resource).toEqual([shop, blog]);
    expect(Object.keys(document.accounts)).toEqual(["shop", "blog", "docs"]);
    expect(sids(document.accounts.shop.policy)).toEqual([
      "PartnerdThirdPartyJobs",
      "PartnerdCustomPoll",
      "PartnerdCustomJobs",
    ]);
    expect(sids(document.accounts.blog.policy)).toEqual(["PartnerdCustomPoll", "PartnerdCustomJobs"]);
    expect(document.accounts.blog.policy.Statement[0].Resource[0]).toMatch(
      /^arn:aws:codepipeline:eu-west-1:222222222222:/,
    );
    const trust = { Effect: "Allow", Principal: { AWS: "arn:aws:iam::999999999999:root" }, Action: "sts:AssumeRole" };
    expect(document.accounts.blog.trustPolicy.Statement).toEqual([trust]);
    const condition = { StringEquals: { "sts:ExternalId": "partner-7" } };
    expect(document.accounts.shop.trustPolicy.Statement).toEqual([{ ...trust, Condition: condition }]);
    expect(document.accounts.docs).toEqual({ profile: "docs", policy: expect.anything() });
  });

  it("prints a trust policy that nobody can use while it is not known whom the roles are to trust", async () => {
    const accounts = { cn: { roleArn: "arn:aws-cn:iam::111111111111:role/partnerd" } };
    const { document, err } = await asked("iam-policy", { accounts, actionTypes: [build], regions: ["cn-north-1"] });
    expect(document.accounts.cn.trustPolicy.Statement[0].Principal.AWS).toBe("arn:aws-cn:iam::YOUR-ACCOUNT-ID:root");
    expect(err).toContain("--account");
  });

  it.each([
    ["us-east-1", "aws"],
    ["cn-northwest-1", "aws-cn"],
    ["us-gov-east-1", "aws-us-gov"],
    ["us-iso-west-1", "aws-iso"],
    ["us-isob-east-1", "aws-iso-b"],
    ["eu-isoe-west-1", "aws-iso-e"],
    ["us-isof-east-1", "aws-iso-f"],
    ["eusc-de-east-1", "aws-eusc"],
  ])("names everything in %s by the partition %s", async (region, partition) => {
    const more = {
      regions: [region],
      ledger: { store: "dynamodb", table: "jobs" },
      clientTokens: { source: "dynamodb", table: "tokens", key: "id", attribute: "token" },
    };
    const arns = (await statements(more)).flatMap(({ Resource }) => Resource).filter((each) => each !== "*");
    expect(arns.length).toBeGreaterThan(2);
    expect(new Set(arns.map((arn) => arn.split(":")[1]))).toEqual(new Set([partition]));
  });

  it.each([
    [
      { source: "secrets-manager", secretId: "partnerd/{clientId}", region: "eu-west-1" },
      "secretsmanager:GetSecretValue",
      "arn:aws:secretsmanager:eu-west-1:123456789012:secret:partnerd/*-??????",
    ],
    [
      { source: "secrets-manager", secretId: "partnerd-tokens" },
      "secretsmanager:GetSecretValue",
      "arn:aws:secretsmanager:*:123456789012:secret:partnerd-tokens-??????",
    ],
    [
      { source: "secrets-manager", secretId: "arn:aws:secretsmanager:eu-west-1:1:secret:partnerd/{clientId}" },
      "secretsmanager:GetSecretValue",
      "arn:aws:secretsmanager:eu-west-1:1:secret:partnerd/**",
    ],
    [
      { source: "dynamodb", table: "customers", region: "eu-west-1" },
      "dynamodb:GetItem",
      "arn:aws:dynamodb:eu-west-1:123456789012:table/customers",
    ],
    [{ source: "http", url: "http://127.0.0.1:9000/{clientId}" }, undefined, undefined],
  ])("grants what the token source %j needs, and no more", async (clientTokens, action, resource) => {
    const found = await statements({ clientTokens }, "--account", "123456789012");
    const ours = found.filter(({ Sid }) => Sid === "PartnerdClientTokens");
    expect(ours.map(({ Action, Resource }) => [Action, Resource])).toEqual(action ? [[[action], resource]] : []);
    const custom = await statements({ clientTokens, actionTypes: [build] });
    expect(custom.filter(({ Sid }) => Sid === "PartnerdClientTokens")).toEqual([]);
  });

  it("knows every operation that the gateways, the ledger and the token sources make", async () => {
    const ledger = { store: "dynamodb", table: "jobs", region: "eu-west-1" };
    const allowed = await statements({ ledger }, "--doctor");
    const sources = ["dynamodb", "secrets-manager"].map((source) => ({ source, table: "tokens", secretId: "tokens" }));
    const more = sources.map(({ source, table, secretId }) =>
      statements({ clientTokens: source === "dynamodb" ? { source, table } : { source, secretId } }),
    );
    const names = [allowed, ...(await Promise.all(more))]
      .flat()
      .flatMap(({ Action }) => Action.map((action) => action.replace(/^.*:/, "")));
    for (const area of ["codepipeline", "ledger", "tokens"]) {
      const folder = new URL(`../../../src/${area}/`, import.meta.url);
      for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!file.endsWith(".ts")) continue;
        const made = readFileSync(new URL(file, folder), "utf8").matchAll(/new (?:sdk\.)?([A-Z]\w+)Command\(/g);
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
    const more = {
      actionTypes: [{ ...build, secretProperties: ["Key"], queryParams: [{ Project: "shop" }, { Project: "blog" }] }],
    };
    const { document } = await asked("action-type Acme-Build", more);
    const input: CreateCustomActionTypeCommandInput = document;
    expect(input.configurationProperties).toMatchObject([
      { name: "Project", queryable: true, key: true, required: true, secret: false },
      { name: "Key", secret: true, key: false },
    ]);
    expect(await accepted("CreateCustomActionType", input)).toBe(200);
  });

  it("links a custom type to the status page where that has a public address", async () => {
    const admin = { publicUrl: "https://jobs.partner.example/here", token: "a-token-of-many-letters" };
    const { document } = await asked("action-type Acme-Build", { admin });
    const input: CreateCustomActionTypeCommandInput = document;
    expect(input.settings).toEqual({ entityUrlTemplate: "https://jobs.partner.example/here/" });
    expect(await accepted("CreateCustomActionType", input)).toBe(200);
    expect((await asked("action-type Acme-Build")).document).not.toHaveProperty("settings");
  });

  it.each([
    ["cloudformation", 'Type: "AWS::CodePipeline::CustomActionType"'],
    ["terraform", 'resource "aws_codepipeline_custom_action_type" "acme_build_1" {'],
    ["cdk", "return new CfnCustomActionType("],
  ])("prints a custom type for %s, and no partner's type", async (format, line) => {
    configured();
    const printed = (provider: string, ...flags: readonly string[]) =>
      cli(["action-type", provider, "-c", "partnerd.yaml", "--format", format, ...flags], folder);
    expect(await printed("Acme-Build")).toMatchObject({ code: 0, out: expect.stringContaining(line) });
    const partners = await printed("Acme-Scan", "--account", "123456789012");
    expect(partners).toMatchObject({ code: 64, out: "", err: expect.stringContaining("leave out --format") });
  });

  it("prints of a partner's type only what is to be merged, which CodePipeline takes from nobody", async () => {
    const more = { actionTypes: [{ ...scan, jobTimeout: "10m", secretProperties: ["Key"] }] };
    const { document, err } = await asked("action-type Acme-Scan", more, "--account", "123456789012");
    expect(document).toEqual({
      actionType: {
        id: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
        executor: {
          type: "JobWorker",
          configuration: { jobWorkerExecutorConfiguration: { pollingAccounts: ["123456789012"] } },
          jobTimeout: 900,
        },
        properties: [{ name: "Key", noEcho: true }],
      },
    });
    expect(err).toMatch(/get-action-type.*--merge FILE/);
    expect(await accepted("UpdateActionType", document)).toBe(400);
  });

  const live = {
    actionType: {
      id: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
      description: "Scans",
      executor: {
        type: "JobWorker",
        configuration: { jobWorkerExecutorConfiguration: { pollingAccounts: ["999999999999"] } },
        jobTimeout: 3_600,
        policyStatementsTemplate: "{}",
      },
      inputArtifactDetails: { minimumCount: 1, maximumCount: 1 },
      outputArtifactDetails: { minimumCount: 0, maximumCount: 2 },
      permissions: { allowedAccounts: ["111111111111"] },
      properties: [
        { name: "Target", optional: true, key: true, noEcho: false, description: "Where" },
        { name: "Key", optional: false, key: false, noEcho: false },
      ],
      urls: { configurationUrl: "https://example.com/" },
    },
  };
  const merge = async (answer: unknown, more: object) => {
    writeFileSync(join(folder, "live.json"), typeof answer === "string" ? answer : JSON.stringify(answer));
    return asked("action-type Acme-Scan", more, "--account", "123456789012", "--merge", "live.json");
  };

  it("merges it into GetActionType's answer, and changes nothing else of the type", async () => {
    const more = { actionTypes: [{ ...scan, jobTimeout: "10m", secretProperties: ["Key"] }] };
    const { document, err } = await merge(live, more);
    const input: UpdateActionTypeCommandInput = document;
    const expected = structuredClone(live);
    expected.actionType.executor.configuration.jobWorkerExecutorConfiguration.pollingAccounts.push("123456789012");
    const [, key] = expected.actionType.properties;
    if (key) key.noEcho = true;
    expect(input).toEqual(expected);
    expect(err).toBe("");
    expect(await accepted("UpdateActionType", input)).toBe(200);
  });

  it("raises the type's time limit above our own, and asks for no account twice", async () => {
    const more = { actionTypes: [{ ...scan, jobTimeout: "2h" }] };
    const [once, twice] = [await merge(live, more), await merge((await merge(live, more)).document, more)];
    expect(once.document.actionType.executor.jobTimeout).toBe(7_500);
    expect(twice.document).toEqual(once.document);
  });

  const other = (change: object) => ({ actionType: { ...live.actionType, ...change } });
  it.each([
    ["{", {}, /not GetActionType's answer/],
    [{}, {}, /not GetActionType's answer/],
    [other({ id: { ...live.actionType.id, version: "2" } }), {}, /about ThirdParty\/Test\/Acme-Scan\/2, not/],
    [other({ executor: { type: "Lambda", configuration: {} } }), {}, /executor of .* is Lambda/],
    [live, { actionTypes: [{ ...scan, secretProperties: ["Nope"] }] }, /has no property Nope/],
  ])("does not merge %j", async (answer, more, says) => {
    const { code, out, err } = await merge(answer, more);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(says);
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
    ["action-type Acme-Scan", {}, [], /(add|say) --account/],
    [
      "action-type Acme-Scan",
      {},
      ["--account", "123456789012", "--merge", "none.json"],
      /none\.json of --merge does not/,
    ],
    ["action-type Acme-Build", {}, ["--merge", "partnerd.yaml"], /--merge is for a partner's/],
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
