// Opens the DynamoDB ledger with AWS's own client, the only place that knows it here. The client is loaded when it is
// asked for: who keeps jobs elsewhere need not install it. Its retries are off; table.ts has ours.
import { leasePace } from "../../job/lease.js";
import { loadOptional, MissingPackage } from "../../std/optional-package.js";
import type { Proxies } from "../../std/proxies.js";
import { type LedgerCommit, LedgerError } from "../ledger.js";
import { findingsOf, refusalFinding, type TableFinding } from "./check.js";
import { DynamoLedger } from "./dynamodb-ledger.js";
import type { DynamoLedgerOptions } from "./options.js";
import { isConditionFailed, NoAnswer, type Table, type TableAnswer, type TableOperation } from "./table.js";

/** Where the table is, and what a call to it may take. */
export interface DynamoTableOptions {
  readonly table: string;
  /** Unset: the SDK's own rules decide. */
  readonly region: string | undefined;
  /** Unset: the SDK's own rules decide. */
  readonly endpoint: string | undefined;
  readonly appId: string;
  readonly proxies: Proxies;
  readonly connectionTimeoutMs: number;
  /** For one whole call. */
  readonly requestTimeoutMs: number;
  /** Told of every attempt to write an item; must not throw. */
  readonly onCommit?: (commit: LedgerCommit) => void;
}

export type DynamoOptions = Omit<DynamoLedgerOptions, "table" | "beats" | "name"> & DynamoTableOptions;

/** A heartbeat comes sooner than that. */
const idleMs = 60_000;
/** Calls beyond wait for a connection, within the time for one. */
const maxConnections = 50;
/** No answer comes later than that. */
const beatTimeoutMaxMs = 30_000;

/** Opens the table as one replica of a fleet. Throws LedgerError, also when AWS's client is not installed. */
export async function openDynamoLedger(options: DynamoOptions): Promise<DynamoLedger> {
  // A heartbeat holds up no other, and is good for as long as it may renew anything.
  const { workMs } = leasePace(options.leaseMs, options.graceMs);
  const requestTimeoutMs = Math.max(options.requestTimeoutMs, Math.min(workMs, beatTimeoutMaxMs));
  const [table, beats] = await Promise.all([
    openDynamoTable(options),
    openDynamoTable({ ...options, requestTimeoutMs }),
  ]);
  return DynamoLedger.open({ ...options, table, beats, name: options.table });
}

/** The table with AWS's client. Throws LedgerError when that is not installed. */
export async function openDynamoTable(options: DynamoTableOptions): Promise<Table> {
  const { table: name, connectionTimeoutMs, requestTimeoutMs, onCommit } = options;
  const { sdk, client } = await clientOf(options);
  const commands: Readonly<Record<TableOperation, (input: never) => object>> = {
    PutItem: (input) => new sdk.PutItemCommand(input),
    DeleteItem: (input) => new sdk.DeleteItemCommand(input),
    GetItem: (input) => new sdk.GetItemCommand(input),
    Query: (input) => new sdk.QueryCommand(input),
    Scan: (input) => new sdk.ScanCommand(input),
  };
  return {
    call: async (operation, input) => {
      const command = commands[operation]({ TableName: name, ...input } as never);
      // Resolving credentials happens before the request and has no limit of its own.
      const abortSignal = AbortSignal.timeout(connectionTimeoutMs + requestTimeoutMs);
      const sent = within(client.send(command as never, { abortSignal }), abortSignal).catch((error: unknown) => {
        // Credential providers throw exceptions of the same names.
        throw error instanceof sdk.DynamoDBServiceException ? error : new NoAnswer(error);
      }) as Promise<TableAnswer>;
      const isWrite = operation === "PutItem" || operation === "DeleteItem";
      return isWrite && onCommit ? counted(sent, onCommit) : sent;
    },
    close: () => client.destroy(),
  };
}

/** What is wrong with the table, and how to fix it. Throws LedgerError when AWS's client is not installed. */
export async function checkDynamoTable(options: DynamoTableOptions): Promise<readonly TableFinding[]> {
  const { table: name, connectionTimeoutMs, requestTimeoutMs } = options;
  const { sdk, client } = await clientOf(options);
  const limited = <T>(send: (abortSignal: AbortSignal) => Promise<T>) => {
    const abortSignal = AbortSignal.timeout(connectionTimeoutMs + requestTimeoutMs);
    return within(send(abortSignal), abortSignal);
  };
  try {
    const table = await limited((abortSignal) =>
      client.send(new sdk.DescribeTableCommand({ TableName: name }), { abortSignal }),
    );
    const timeToLive = await limited((abortSignal) =>
      client.send(new sdk.DescribeTimeToLiveCommand({ TableName: name }), { abortSignal }),
    ).catch((error: unknown) => refusalFinding(name, "DescribeTimeToLive", error));
    if ("message" in timeToLive) return [...findingsOf(name, table.Table ?? {}, undefined), timeToLive];
    return findingsOf(name, table.Table ?? {}, timeToLive.TimeToLiveDescription ?? {});
  } catch (error) {
    return [refusalFinding(name, "DescribeTable", error)];
  } finally {
    client.destroy();
  }
}

async function clientOf(options: DynamoTableOptions) {
  const { region, endpoint, appId, proxies, connectionTimeoutMs, requestTimeoutMs } = options;
  const sdk = await loadSdk();
  const [{ SdkHandler }, { heeding, ownCredentials }] = await Promise.all([
    import("../../network/sdk-handler.js"),
    import("../../network/credentials/own-credentials.js"),
  ]);
  const requestHandler = new SdkHandler({ proxies, connectionTimeoutMs, requestTimeoutMs, idleMs, maxConnections });
  const credentials = ownCredentials({ requestHandler, limitMs: connectionTimeoutMs + requestTimeoutMs });
  const client = new sdk.DynamoDBClient({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    userAgentAppId: appId,
    maxAttempts: 1,
    requestHandler,
    credentials: credentials.provider,
  });
  return { sdk, client: heeding(client, credentials) };
}

/** The answer, once it is told of. A condition that did not hold is an answer, and writes nothing. */
async function counted<T>(sent: Promise<T>, onCommit: (commit: LedgerCommit) => void): Promise<T> {
  const startedMs = performance.now();
  const tell = (isDurable: boolean) => onCommit({ isDurable, durationMs: performance.now() - startedMs });
  try {
    const answer = await sent;
    tell(true);
    return answer;
  } catch (error) {
    if (!isConditionFailed(error)) tell(false);
    throw error;
  }
}

async function loadSdk(): Promise<typeof import("@aws-sdk/client-dynamodb")> {
  try {
    return await loadOptional(
      "the ledger's store dynamodb",
      "@aws-sdk/client-dynamodb",
      () => import("@aws-sdk/client-dynamodb"),
    );
  } catch (error) {
    if (error instanceof MissingPackage) throw new LedgerError("unreadable", error.message, error);
    throw error;
  }
}

/** The SDK cannot be interrupted while it resolves credentials, so the wait is limited here as well. */
function within<T>(sent: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(Object.assign(new Error("no answer in time"), { name: "TimeoutError" }));
    signal.addEventListener("abort", onAbort, { once: true });
    sent.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
