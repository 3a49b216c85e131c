// The action type operations, through AWS's own client.
import type { CreateCustomActionTypeCommandInput } from "@aws-sdk/client-codepipeline";
import {
  CreateCustomActionTypeCommand,
  DeleteCustomActionTypeCommand,
  GetActionTypeCommand,
  ListActionTypesCommand,
  PollForJobsCommand,
  UpdateActionTypeCommand,
} from "@aws-sdk/client-codepipeline";
import { describe, expect, test } from "vitest";
import { call, sdk, thirdPartyType, withEmulator } from "../support/emulator-client.js";

const artifacts = { minimumCount: 0, maximumCount: 1 };
const definition = {
  category: "Build",
  provider: "Made",
  version: "1",
  configurationProperties: [{ name: "Project", required: true, key: true, secret: false, queryable: true }],
  settings: { entityUrlTemplate: "https://example.com/{Config:Project}" },
  inputArtifactDetails: artifacts,
  outputArtifactDetails: artifacts,
} as const;
const madeId = { category: "Build", owner: "Custom", provider: "Made", version: "1" } as const;
const create = (change: object = {}) => ({ ...mutable(definition), ...change });
const mutable = (input: object) => structuredClone(input) as CreateCustomActionTypeCommandInput;

describe("CreateCustomActionType", () => {
  test("makes a type that can be listed and polled", () =>
    withEmulator(async (_emulator, url) => {
      const client = sdk(url);
      const { actionType } = await client.send(new CreateCustomActionTypeCommand(create()));
      expect(actionType).toMatchObject({
        id: madeId,
        settings: { entityUrlTemplate: "https://example.com/{Config:Project}" },
        actionConfigurationProperties: [{ name: "Project", required: true, queryable: true }],
        inputArtifactDetails: artifacts,
      });
      const { actionTypes } = await client.send(new ListActionTypesCommand({ actionOwnerFilter: "Custom" }));
      expect(actionTypes?.map((type) => type.id?.provider)).toEqual(["Acme-Build", "Made"]);
      const polled = await client.send(new PollForJobsCommand({ actionTypeId: madeId, queryParam: { Project: "p" } }));
      expect(polled.jobs).toEqual([]);
    }));

  test("is of one Region", () =>
    withEmulator(async (_emulator, url) => {
      await sdk(url, { region: "eu-west-1" }).send(new CreateCustomActionTypeCommand(create()));
      const names = async (region: string) =>
        (await sdk(url, { region }).send(new ListActionTypesCommand({}))).actionTypes?.map((type) => type.id?.provider);
      expect(await names("eu-west-1")).toEqual(["Made"]);
      expect(await names("us-east-1")).toEqual(["Acme-Scan", "Acme-Build"]);
    }));

  const properties = (...list: object[]) => ({
    configurationProperties: list.map((property, index) => ({
      name: `p${index}`,
      required: true,
      key: false,
      secret: false,
      ...property,
    })),
  });
  test.each([
    ["two queryable properties", properties({ queryable: true }, { queryable: true }), "ValidationException"],
    ["a secret queryable property", properties({ queryable: true, secret: true }), "ValidationException"],
    ["an optional queryable property", properties({ queryable: true, required: false }), "ValidationException"],
    ["two properties of one name", properties({ name: "a" }, { name: "a" }), "ValidationException"],
    ["eleven properties", properties(...Array.from({ length: 11 }, () => ({}))), "ValidationException"],
    ["a property without secret", properties({ secret: undefined }), "ValidationException"],
    ["six artifacts", { inputArtifactDetails: { minimumCount: 0, maximumCount: 6 } }, "ValidationException"],
    [
      "more artifacts at least than at most",
      { outputArtifactDetails: { minimumCount: 2, maximumCount: 1 } },
      "ValidationException",
    ],
    ["no artifact details", { inputArtifactDetails: undefined }, "ValidationException"],
    [
      "fifty-one tags",
      { tags: Array.from({ length: 51 }, (_, n) => ({ key: `k${n}`, value: "" })) },
      "TooManyTagsException",
    ],
    [
      "one tag twice",
      {
        tags: [
          { key: "a", value: "1" },
          { key: "a", value: "2" },
        ],
      },
      "InvalidTagsException",
    ],
    ["a tag of AWS's", { tags: [{ key: "aws:a", value: "1" }] }, "InvalidTagsException"],
  ])("with %s is refused", (_, change, code) =>
    withEmulator(async (emulator, url) => {
      expect((await call(url, "CreateCustomActionType", create(change))).code).toBe(code);
      expect(emulator.actionTypes()).toHaveLength(2);
    }),
  );

  test("makes a type once", () =>
    withEmulator(async (_emulator, url) => {
      expect((await call(url, "CreateCustomActionType", create())).code).toBe("ok");
      const again = await call(url, "CreateCustomActionType", create());
      expect([again.code, again.message]).toEqual([
        "ValidationException",
        "ActionType (Category: 'Build', Owner: 'Custom', Provider: 'Made', Version: '1') already exists",
      ]);
    }));

  test("makes fifty types in a Region and no more", () =>
    withEmulator(async (_emulator, url) => {
      const codes: string[] = [];
      for (let version = 1; version <= 50; version++) {
        codes.push((await call(url, "CreateCustomActionType", create({ version: `v${version}` }))).code);
      }
      // One custom type was there before.
      expect(codes.slice(0, 49).every((code) => code === "ok")).toBe(true);
      expect(codes[49]).toBe("LimitExceededException");
    }));
});

describe("DeleteCustomActionType", () => {
  test("makes polls fail, and only the same definition brings the version back", () =>
    withEmulator(async (_emulator, url) => {
      await call(url, "CreateCustomActionType", create());
      const { category, provider, version } = definition;
      await sdk(url).send(new DeleteCustomActionTypeCommand({ category, provider, version }));
      expect((await call(url, "PollForJobs", { actionTypeId: madeId })).code).toBe("ActionTypeNotFoundException");
      const other = create({ inputArtifactDetails: { minimumCount: 1, maximumCount: 1 } });
      expect((await call(url, "CreateCustomActionType", other)).code).toBe("ValidationException");
      expect((await call(url, "CreateCustomActionType", create())).code).toBe("ok");
    }));

  test("of a type that is not there is no mistake", () =>
    withEmulator(async (_emulator, url) => {
      const { category, provider, version } = definition;
      const answer = await call(url, "DeleteCustomActionType", { category, provider, version });
      expect([answer.code, answer.text]).toEqual(["ok", ""]);
    }));
});

describe("ListActionTypes", () => {
  test("pages through all types, each once", () =>
    withEmulator(
      async (emulator, url) => {
        for (let version = 1; version <= 7; version++)
          emulator.addActionType({ provider: "Many", version: `${version}` });
        const client = sdk(url);
        const found: string[] = [];
        let nextToken: string | undefined;
        do {
          const page = await client.send(new ListActionTypesCommand({ actionOwnerFilter: "ThirdParty", nextToken }));
          expect(page.actionTypes?.length).toBeLessThanOrEqual(3);
          found.push(...(page.actionTypes ?? []).map((type) => `${type.id?.provider} ${type.id?.version}`));
          ({ nextToken } = page);
        } while (nextToken !== undefined);
        expect(found).toEqual(["Acme-Scan 1", ...[1, 2, 3, 4, 5, 6, 7].map((version) => `Many ${version}`)]);
      },
      { settings: { listPageSize: 3 } },
    ));

  test("takes only tokens that it made, and only for the same question", () =>
    withEmulator(
      async (_emulator, url) => {
        const { json } = await call(url, "ListActionTypes", {});
        const nextToken = String(json["nextToken"]);
        expect((await call(url, "ListActionTypes", { nextToken })).code).toBe("ok");
        for (const ask of [
          { nextToken: "1" },
          { nextToken: "NaN." },
          { nextToken: nextToken.replace("1.", "0.") },
          { nextToken, actionOwnerFilter: "Custom" },
          { nextToken, regionFilter: "eu-west-1" },
        ]) {
          expect((await call(url, "ListActionTypes", ask)).code).toBe("InvalidNextTokenException");
        }
      },
      { settings: { listPageSize: 1 } },
    ));

  test("looks into the Region of its filter", () =>
    withEmulator(async (emulator, url) => {
      emulator.addActionType({ provider: "Far", regions: ["ap-south-1"] });
      const { json } = await call(url, "ListActionTypes", { regionFilter: "ap-south-1" });
      expect(json["actionTypes"]).toMatchObject([{ id: { provider: "Far" } }]);
    }));
});

describe("GetActionType and UpdateActionType", () => {
  test("describe a partner's type and change it", () =>
    withEmulator(async (emulator, url) => {
      emulator.addActionType({
        provider: "Acme-Scan",
        description: "scans",
        properties: [
          { name: "Level", required: true },
          { name: "Key", secret: true },
        ],
        inputs: { minimumCount: 0, maximumCount: 10 },
        settings: { thirdPartyConfigurationUrl: "https://example.com/connect" },
        jobTimeout: 600,
      });
      const client = sdk(url);
      const { actionType } = await client.send(new GetActionTypeCommand(thirdPartyType));
      expect(actionType).toMatchObject({
        id: thirdPartyType,
        description: "scans",
        executor: { type: "JobWorker", jobTimeout: 600 },
        inputArtifactDetails: { maximumCount: 10 },
        properties: [
          { name: "Level", optional: false, noEcho: false },
          { name: "Key", optional: true, noEcho: true },
        ],
        urls: { configurationUrl: "https://example.com/connect" },
      });
      if (!actionType?.executor) throw new Error("no executor");
      const changed = {
        ...actionType,
        executor: { ...actionType.executor, jobTimeout: 60 },
        description: "scans more",
      };
      await client.send(new UpdateActionTypeCommand({ actionType: changed }));
      const again = await client.send(new GetActionTypeCommand(thirdPartyType));
      expect(again.actionType).toMatchObject({ description: "scans more", executor: { jobTimeout: 60 } });
      const { json } = await call(url, "ListActionTypes", { actionOwnerFilter: "ThirdParty" });
      expect(json["actionTypes"]).toMatchObject([{ inputArtifactDetails: { maximumCount: 5 } }]);
    }));

  test("do not know custom types, and tell an unknown one", () =>
    withEmulator(async (_emulator, url) => {
      const custom = await call(url, "GetActionType", madeId);
      expect(custom.message).toContain(
        "at 'owner' failed to satisfy constraint: Member must satisfy regular expression",
      );
      const unknown = { ...thirdPartyType, provider: "Nobody" };
      expect((await call(url, "GetActionType", unknown)).code).toBe("ActionTypeNotFoundException");
      const executor = { type: "JobWorker", configuration: {} };
      const actionType = { id: unknown, executor, inputArtifactDetails: artifacts, outputArtifactDetails: artifacts };
      expect((await call(url, "UpdateActionType", { actionType })).code).toBe("ActionTypeNotFoundException");
      const short = { ...actionType, executor: { ...executor, jobTimeout: 59 } };
      expect((await call(url, "UpdateActionType", { actionType: short })).code).toBe("ValidationException");
    }));
});
