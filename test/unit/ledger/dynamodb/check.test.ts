// What is found wrong with a ledger's table, by itself and asked of dynalite; and what is said without AWS's client.
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findingsOf, refusalFinding, type TableDescription } from "../../../../src/ledger/dynamodb/check.js";
import { checkDynamoTable } from "../../../../src/ledger/dynamodb/opening.js";
import { tableDefinition } from "../../../../src/ledger/dynamodb/table.js";
import { Proxies } from "../../../../src/std/proxies.js";
import { createTable, type Dynamo, dynamoRegion, startDynamo } from "../../../support/dynamo.js";

const good = { ...tableDefinition("jobs"), TableStatus: "ACTIVE" } as TableDescription;
const on = { TimeToLiveStatus: "ENABLED", AttributeName: "expiresAt" };

describe("the findings", () => {
  it("are none for the table that partnerd ledger-table prints, however it is billed", () => {
    expect(findingsOf("jobs", good, on)).toEqual([]);
    expect(findingsOf("jobs", { ...good, TableStatus: "UPDATING" }, { ...on, TimeToLiveStatus: "ENABLING" })).toEqual(
      [],
    );
  });

  it("name the index of ended jobs where a table of an earlier version has none, which stops no job", () => {
    const older = { ...good, GlobalSecondaryIndexes: good.GlobalSecondaryIndexes?.slice(0, 1) ?? [] };
    const message = expect.stringMatching(
      /no index by-end, .* aws dynamodb update-table --table-name jobs .*endedAtMs/,
    );
    expect(findingsOf("jobs", older, on)).toEqual([{ isFatal: false, message }]);
  });

  it.each<[string, TableDescription, RegExp]>([
    ["a table on its way", { ...good, TableStatus: "CREATING" }, /jobs is CREATING, not ACTIVE/],
    [
      "another key",
      { ...good, KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }] },
      /has the key pk HASH S, not pk HASH S, sk RANGE S; .*create another table/,
    ],
    [
      "a key of another type",
      { ...good, AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "N" }] },
      /has the key pk HASH N, sk RANGE \?/,
    ],
    ["no index", { ...good, GlobalSecondaryIndexes: [] }, /has no index by-holder; aws dynamodb update-table/],
    [
      "an index by another key",
      {
        ...good,
        GlobalSecondaryIndexes: [{ IndexName: "by-holder", KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }] }],
      },
      /the index by-holder .* has the key pk HASH S/,
    ],
    [
      "an index on its way",
      {
        ...good,
        GlobalSecondaryIndexes: [
          {
            IndexName: "by-holder",
            IndexStatus: "CREATING",
            KeySchema: [{ AttributeName: "owedBy", KeyType: "HASH" }],
          },
        ],
      },
      /the index by-holder .* is CREATING: wait/,
    ],
  ])("of %s say how to fix it", (_, table, message) => {
    const fatal = findingsOf("jobs", table, on).filter(({ isFatal }) => isFatal);
    expect(fatal.map((finding) => finding.message).join("\n")).toMatch(message);
  });

  it.each([
    [{}, /never removes old rows, .*update-time-to-live --table-name jobs .*AttributeName=expiresAt/],
    [{ TimeToLiveStatus: "DISABLED" }, /never removes old rows/],
    [{ ...on, AttributeName: "ttl" }, /removes old rows by ttl, not by expiresAt/],
  ])("of a table without its time to live warn: %j", (timeToLive, message) => {
    expect(findingsOf("jobs", good, timeToLive)).toEqual([{ isFatal: false, message: expect.stringMatching(message) }]);
  });
});

it.each([
  ["UnknownOperationException", false, /old rows may never be removed/],
  ["AccessDeniedException", false, /allow dynamodb:DescribeTimeToLive/],
  ["ResourceNotFoundException", true, /partnerd ledger-table/],
  ["TimeoutError", true, /DescribeTimeToLive of the ledger's table jobs failed: TimeoutError: no/],
])("a call that ends with %s is a finding", (name, isFatal, message) => {
  const finding = refusalFinding("jobs", "DescribeTimeToLive", Object.assign(new Error("no"), { name }));
  expect(finding).toEqual({ isFatal, message: expect.stringMatching(message) });
});

describe("a table that is asked for", () => {
  let dynamo: Dynamo;
  beforeAll(async () => {
    dynamo = await startDynamo();
  });
  afterAll(() => dynamo.close());
  const check = (table: string) => {
    const { endpoint } = dynamo;
    const times = { connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 };
    const proxies = Proxies.from({});
    return checkDynamoTable({ table, region: dynamoRegion, endpoint, appId: "test", proxies, ...times });
  };

  it("is as partnerd ledger-table prints it, which cannot set the time to live", async () => {
    expect(await check(await dynamo.createTable())).toEqual([
      { isFatal: false, message: expect.stringMatching(/never removes old rows/) },
    ]);
  });

  it("is not there, or is another's", async () => {
    expect(await check("nowhere")).toEqual([
      { isFatal: true, message: expect.stringMatching(/nowhere does not exist here: partnerd ledger-table prints/) },
    ]);
    const theirs = {
      TableName: "theirs",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    };
    await createTable(dynamo.client, theirs);
    const fatal = (await check("theirs")).filter(({ isFatal }) => isFatal);
    expect(fatal.map(({ message }) => message)).toEqual([
      expect.stringMatching(/has the key id HASH S/),
      expect.stringMatching(/has no index by-holder/),
    ]);
  });
});

/** The sources, in a process where AWS's client for DynamoDB is not installed. */
const withoutClient =
  'data:text/javascript,import m from "node:module";m.registerHooks({resolve:(s,c,n)=>{' +
  'if(s==="@aws-sdk/client-dynamodb")throw Object.assign(new Error("Cannot find package \'"+s+"\' imported from "+c.parentURL),{code:"ERR_MODULE_NOT_FOUND"});' +
  'return n(c.parentURL?.includes("/node_modules/")?s:s.replace(/^(\\..*)\\.js$/,"$1.ts"),c)}})';

it("names the package to install when AWS's client is missing", () => {
  const source = `
    const { openDynamoTable } = await import(${JSON.stringify(new URL("../../../../src/ledger/dynamodb/opening.ts", import.meta.url).href)});
    await openDynamoTable({ table: "t", appId: "test", connectionTimeoutMs: 1, requestTimeoutMs: 1 })
      .then(() => console.log("opened"), (error) => console.log(error.name + " " + error.code + " " + error.message));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", withoutClient, "--input-type=module", "--eval", source],
    { encoding: "utf8", timeout: 30_000, env: { PATH: process.env["PATH"] } },
  );
  expect(stderr).toBe("");
  expect(stdout).toBe(
    "LedgerError unreadable the ledger's store dynamodb needs the package @aws-sdk/client-dynamodb: npm install @aws-sdk/client-dynamodb\n",
  );
});
