// DynamoDB for tests: dynalite in memory, on a port of its own, or Python's moto where this machine has it; with the
// ledger's table as users create it.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type AttributeValue,
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { DynamoLedger } from "../../src/ledger/dynamodb/dynamodb-ledger.js";
import { type DynamoOptions, openDynamoLedger } from "../../src/ledger/dynamodb/opening.js";
import { replicasPartition, rowKey } from "../../src/ledger/dynamodb/rows.js";
import { tableDefinition } from "../../src/ledger/dynamodb/table.js";
import { Proxies } from "../../src/std/proxies.js";
import { startMoto } from "./moto.js";

export interface Dynamo {
  readonly endpoint: string;
  readonly client: DynamoDBClient;
  /** A new table; its name. */
  createTable(): Promise<string>;
  /** A replica's ledger over the table, patient enough for a test. */
  open(options: Pick<DynamoOptions, "table" | "clock"> & Partial<DynamoOptions>): Promise<DynamoLedger>;
  /** Takes away every heartbeat's row: each replica is dead for the others, and learns it by its next heartbeat. */
  removeReplicas(table: string): Promise<void>;
  /** A job's row as it stands. */
  rowOf(table: string, row: string): Promise<Record<string, AttributeValue> | undefined>;
  /** Writes another replica's name into a job's row, as one does that takes the job over. */
  giveToAnother(table: string, row: string): Promise<void>;
  close(): Promise<void>;
}

/** A region's name for the SDK; dynalite takes any. */
export const dynamoRegion = "us-east-1";

/** A new table, once it may be used: until then whoever asks for its rows is told that it does not exist. */
export async function createTable(client: DynamoDBClient, definition: unknown): Promise<void> {
  const { TableDescription: made } = await client.send(new CreateTableCommand(definition as CreateTableCommandInput));
  for (let status = made?.TableStatus; status !== "ACTIVE"; ) {
    const { Table: now } = await client.send(new DescribeTableCommand({ TableName: made?.TableName }));
    status = now?.TableStatus;
  }
}

/** Starts dynalite on 127.0.0.1. */
export async function startDynamo(): Promise<Dynamo> {
  const { default: dynalite } = (await import("dynalite" as string)) as {
    default: (options: object) => Server;
  };
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  // Node's five seconds close a connection just as a heartbeat is sent by it; DynamoDB keeps them for much longer.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return dynamoAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
  });
}

/** Starts moto on 127.0.0.1; ask `hasMoto()` first. */
export async function startMotoDynamo(): Promise<Dynamo> {
  const { url, close } = await startMoto();
  return dynamoAt(url, close);
}

function dynamoAt(endpoint: string, close: () => Promise<void>): Dynamo {
  const client = new DynamoDBClient({ endpoint, region: dynamoRegion });
  let tables = 0;
  return {
    endpoint,
    client,
    createTable: async () => {
      const table = `ledger-${tables++}`;
      await createTable(client, tableDefinition(table));
      return table;
    },
    open: (options) =>
      openDynamoLedger({
        region: dynamoRegion,
        endpoint,
        appId: "partnerd-test",
        proxies: Proxies.from({}),
        connectionTimeoutMs: 5_000,
        requestTimeoutMs: 10_000,
        recentMs: 60_000,
        leaseMs: 86_400_000,
        graceMs: 0,
        lookMs: 20,
        probeIntervalMs: 20,
        retry: { minDelayMs: 1, maxDelayMs: 20, factor: 2, maxElapsedMs: 2_000 },
        onHealth: () => {},
        onFault: () => {},
        ...options,
      }),
    removeReplicas: async (table) => {
      const { Items: rows } = await client.send(new ScanCommand({ TableName: table }));
      for (const { pk, sk } of rows ?? []) {
        if (pk?.S !== replicasPartition || !sk) continue;
        await client.send(new DeleteItemCommand({ TableName: table, Key: { pk, sk } }));
      }
    },
    rowOf: async (table, row) => {
      const Key = rowKey(row) as Record<string, AttributeValue>;
      return (await client.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }))).Item;
    },
    giveToAnother: async (table, row) => {
      await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: rowKey(row) as Record<string, AttributeValue>,
          UpdateExpression: "SET holder = :other, owedBy = :other",
          ExpressionAttributeValues: { ":other": { S: "another" } },
        }),
      );
    },
    close: async () => {
      client.destroy();
      await close();
    },
  };
}
