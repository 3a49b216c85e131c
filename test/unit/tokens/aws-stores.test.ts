// Client tokens in Secrets Manager and DynamoDB: what each answer means, and that no message holds one.

import { inspect } from "node:util";
import { type DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { ClientId } from "../../../src/job/job.js";
import { loadClient } from "../../../src/tokens/aws-client.js";
import { openTokenTable } from "../../../src/tokens/dynamodb.js";
import { openSecretsManager } from "../../../src/tokens/secrets-manager.js";
import type { TokenStore } from "../../../src/tokens/token-store.js";
import { createTable, type Dynamo, startDynamo } from "../../support/dynamo.js";
import { FakeClock } from "../../support/fake-clock.js";
import { aws, startFakeSecrets } from "../../support/token-sources.js";

const client = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const other = "0a1b2c3d-0000-4000-8000-00000000000b" as ClientId;

async function found(store: TokenStore, id = client): Promise<unknown> {
  const end = await store.find(id, AbortSignal.timeout(20_000)).catch((error: unknown) => error);
  if (end instanceof Error) expect(inspect(end, { depth: 9, showHidden: true })).not.toContain("hunter2");
  return end;
}

async function secretsOf(secretId: string) {
  const fake = await startFakeSecrets();
  const clock = new FakeClock();
  const store = await openSecretsManager({ ...aws, secretId, endpoint: fake.url, clock });
  onTestFinished(async () => {
    await store.close();
    await fake.close();
  });
  return { ...fake, clock, store, find: (id?: ClientId) => found(store, id) };
}

describe("a secret for each client", () => {
  it.each([
    ["a text", "a token", "a token"],
    ["a text with a line break at its end", "a token\n", "a token"],
    ["what the console writes", '{"token":"a token","customer":"somebody"}', "a token"],
  ])("holds the token as %s", async (_, secret, token) => {
    const { secrets, find } = await secretsOf("partnerd/{clientId}");
    secrets.set(`partnerd/${client}`, secret);
    expect(await find()).toBe(token);
  });

  it.each([
    ["JSON without a token", '{"password":"hunter2"}'],
    ["broken JSON", '{"token":"hunter2"'],
    ["a number for a token", '{"token":5}'],
    ["bytes", Buffer.from("hunter2")],
  ])("is its own client's trouble alone when it holds %s", async (_, secret) => {
    const { secrets, find } = await secretsOf("partnerd/{clientId}");
    secrets.set(`partnerd/${client}`, secret);
    expect(await find()).toMatchObject({ name: "TokenStoreFault", kind: "unusable" });
  });

  it.each([
    ["it is not there", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", undefined],
    [
      "it is marked for deletion",
      "InvalidRequestException",
      "You can't perform this operation on the secret because it was marked for deletion.",
      undefined,
    ],
    ["its key is gone", "DecryptionFailure", "Secrets Manager can't decrypt the secret.", "away"],
    ["we may not read it", "AccessDeniedException", "User is not authorized", "away"],
    ["we ask too often", "ThrottlingException", "Rate exceeded", "away"],
    ["another request is wrong", "InvalidRequestException", "The secret has no value", "away"],
  ])("means, when %s, %s", async (_, type, message, kind) => {
    const { state, find } = await secretsOf("partnerd/{clientId}");
    state.error = { __type: type, Message: message };
    const end = await find();
    if (kind === undefined) expect(end).toBeUndefined();
    else expect(end).toMatchObject({ kind, message: expect.stringContaining(`failed: ${type}: `) });
  });
});

describe("one secret with a map", () => {
  it("is read once for all who come within a second, and anew after that", async () => {
    const { secrets, find, state, clock } = await secretsOf("tokens");
    secrets.set("tokens", JSON.stringify({ [client.toUpperCase()]: "a token", [other]: 5, __proto__: "hunter2" }));
    expect(await Promise.all([find(), find(), find(other)])).toEqual(["a token", "a token", 5]);
    expect(state.calls).toBe(1);
    secrets.set("tokens", JSON.stringify({ [other]: "another" }));
    await clock.advance(1_000);
    expect(await Promise.all([find(), find(other)])).toEqual([undefined, "another"]);
    expect(state.calls).toBe(2);
  });

  it.each([
    ["no JSON", "hunter2"],
    ["a list", '["hunter2"]'],
    ["a text", '"hunter2"'],
    ["null", "null"],
    ["bytes", Buffer.from("hunter2")],
  ])("is an outage for all when it holds %s, and over once it is corrected", async (_, secret) => {
    const { secrets, find } = await secretsOf("tokens");
    secrets.set("tokens", secret);
    expect(await find()).toMatchObject({ name: "TokenStoreFault", kind: "away" });
    secrets.set("tokens", JSON.stringify({ [client]: "a token" }));
    expect(await find()).toBe("a token");
  });

  it("that is not there makes nobody unknown", async () => {
    const { find } = await secretsOf("tokens");
    expect(await find()).toMatchObject({
      kind: "away",
      message: expect.stringMatching(/^failed: ResourceNotFoundException: .*correct clientTokens\.secretId$/),
    });
  });
});

describe("a table", () => {
  let dynamo: Dynamo;
  let dynamoClient: DynamoDBClient;
  beforeAll(async () => {
    dynamo = await startDynamo();
    dynamoClient = dynamo.client;
    await createTable(dynamoClient, {
      TableName: "tokens",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "client-id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "client-id", KeyType: "HASH" }],
    });
  });
  afterAll(() => dynamo.close());

  async function tableOf(more: { readonly table?: string; readonly key?: string } = {}) {
    const where = { table: "tokens", key: "client-id", attribute: "the token", ...more };
    const store = await openTokenTable({ ...aws, ...where, endpoint: dynamo.endpoint });
    onTestFinished(() => store.close());
    return (id?: ClientId) => found(store, id);
  }

  it("holds the token in the attribute that is named, whatever its name is", async () => {
    const item = { "client-id": { S: client }, "the token": { S: "a token" } };
    await dynamoClient.send(new PutItemCommand({ TableName: "tokens", Item: item }));
    const find = await tableOf();
    expect(await find()).toBe("a token");
    expect(await find(other)).toBeUndefined();
  });

  it.each([
    ["has another type", { N: "5" }],
    ["is a list", { L: [{ S: "hunter2" }] }],
    ["is not there", undefined],
  ])("is its own client's trouble alone when the attribute %s", async (_, value) => {
    const item = { "client-id": { S: client }, password: { S: "hunter2" }, ...(value ? { "the token": value } : {}) };
    await dynamoClient.send(new PutItemCommand({ TableName: "tokens", Item: item }));
    expect(await (await tableOf())()).toMatchObject({
      kind: "unusable",
      message: "has no attribute the token of type String in the client's item",
    });
  });

  it.each([
    ["does not exist", { table: "nowhere" }, /^failed: ResourceNotFoundException: .*correct clientTokens\.table/],
    ["has another key", { key: "id" }, /^failed: ValidationException: .*correct clientTokens\.key/],
  ])("that %s makes nobody unknown", async (_, where, message) => {
    expect(await (await tableOf(where))()).toMatchObject({ kind: "away", message: expect.stringMatching(message) });
  });
});

it("names the package of a client that is not installed", async () => {
  const missing = Object.assign(new Error("Cannot find package '@aws-sdk/client-any' imported from here"), {
    code: "ERR_MODULE_NOT_FOUND",
  });
  await expect(loadClient("any", "@aws-sdk/client-any", () => Promise.reject(missing))).rejects.toMatchObject({
    name: "TokenError",
    code: "source-unavailable",
    message: "the token source any needs the package @aws-sdk/client-any: npm install @aws-sdk/client-any",
  });
});
