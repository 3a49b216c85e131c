// The table of the DynamoDB ledger: its definition, the calls that are made to it, and what their faults mean. It
// knows no SDK: a Table is handed in, so that tests can stand in between.
import type { Clock } from "../../std/clock.js";
import { type RetryPolicyMs, retrying } from "../../std/retry.js";
import { LedgerError } from "../ledger.js";
import { historyIndex, holderIndex, type Item } from "./rows.js";

export type TableOperation = "PutItem" | "DeleteItem" | "GetItem" | "Query" | "Scan";

/** What calls answer, as much of it as the ledger looks at. */
export interface TableAnswer {
  readonly Item?: Item;
  readonly Items?: readonly Item[];
  readonly LastEvaluatedKey?: Item;
}

/**
 * One attempt of one call of the DynamoDB API. The table's name is put in. Rejects with DynamoDB's own exception, or with
 * NoAnswer for whatever anybody else said.
 */
export interface Table {
  call(operation: TableOperation, input: Readonly<Record<string, unknown>>): Promise<TableAnswer>;
  close(): void;
}

/** DynamoDB itself said nothing: no connection, no credentials, or what answered was something in between. */
export class NoAnswer extends Error {
  /** Of the connection, such as ECONNRESET. */
  readonly code: unknown;

  constructor(error: unknown) {
    super(error instanceof Error ? `${error.name}: ${error.message}` : String(error), { cause: error });
    this.name = "NoAnswer";
    this.code = error instanceof Error && "code" in error ? error.code : undefined;
  }
}

/** The input of CreateTable: on-demand capacity, and the sparse indexes of what is owed and of what ended. */
export function tableDefinition(table: string): Readonly<Record<string, unknown>> {
  const attribute = (AttributeName: string) => ({ AttributeName, AttributeType: "S" });
  return {
    TableName: table,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [attribute("pk"), attribute("sk"), attribute("owedBy"), ...historyAttributes],
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: holderIndex,
        KeySchema: [{ AttributeName: "owedBy", KeyType: "HASH" }],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
      historyDefinition,
    ],
  };
}

/** What the index of ended jobs needs to be added to a table that has none. */
export const historyAttributes = [
  { AttributeName: "endedOn", AttributeType: "S" },
  { AttributeName: "endedAtMs", AttributeType: "N" },
];
export const historyDefinition = {
  IndexName: historyIndex,
  KeySchema: [
    { AttributeName: "endedOn", KeyType: "HASH" },
    { AttributeName: "endedAtMs", KeyType: "RANGE" },
  ],
  // Only what a search shows: a row that waits to be removed costs no more than that.
  Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["job", "history"] },
};

/** The command that adds the index of ended jobs to a table of an earlier version. */
export function addHistoryIndex(table: string): string {
  const types = historyAttributes.map(
    (each) => `AttributeName=${each.AttributeName},AttributeType=${each.AttributeType}`,
  );
  const update = JSON.stringify([{ Create: historyDefinition }]);
  return `aws dynamodb update-table --table-name ${table} --attribute-definitions ${types.join(" ")} --global-secondary-index-updates '${update}'`;
}

/** The attribute by which DynamoDB removes old rows; CreateTable cannot set it, UpdateTimeToLive does. */
export const timeToLiveAttribute = "expiresAt";

/** True when the condition of a write did not hold: nothing was written by this attempt. */
export function isConditionFailed(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

/** Refusals that a further attempt meets again, at least until somebody fixes something. */
const finalNames = new Set([
  "ConditionalCheckFailedException",
  "ValidationException",
  "ResourceNotFoundException",
  "AccessDeniedException",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "SerializationException",
  "ItemCollectionSizeLimitExceededException",
]);

/** Throttling, an outage, no answer; a chain of credential providers has tried all of them before it says so. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isWithoutCredentials = error.cause instanceof Error && error.cause.name === "CredentialsProviderError";
  return !finalNames.has(error.name) && !isWithoutCredentials;
}

/** True when the connection broke, before or after the table had the call. */
export function isReset(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/** True when the table refuses this one row for good, which says nothing of others. */
export function isAboutTheRow(error: unknown): boolean {
  return error instanceof Error && error.name === "ValidationException";
}

export interface RetryingTableOptions {
  readonly table: Table;
  readonly name: string;
  readonly clock: Clock;
  readonly retry: RetryPolicyMs;
}

/** Makes calls until they are answered, within the policy's time. */
export class RetryingTable {
  readonly #options: RetryingTableOptions;

  constructor(options: RetryingTableOptions) {
    this.#options = options;
  }

  /** The answer. Rejects with what the SDK threw last; a write may have happened then. */
  call(
    operation: TableOperation,
    input: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    attempts: "many" | "one" = "many",
  ): Promise<TableAnswer> {
    const { table, clock, retry: policy } = this.#options;
    const shouldRetry = (error: unknown) => attempts === "many" && isPassing(error);
    return retrying({ policy, clock, signal, shouldRetry }, () => table.call(operation, input));
  }

  /** Every item of a Query or a Scan, page by page. */
  async all(
    operation: "Query" | "Scan",
    input: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<readonly Item[]> {
    return (await this.some(operation, input, { pages: pagesMax, signal })).items;
  }

  /** The items of so many pages. */
  async some(
    operation: "Query" | "Scan",
    input: Readonly<Record<string, unknown>>,
    { pages, signal }: { readonly pages: number; readonly signal: AbortSignal },
  ): Promise<{ readonly items: readonly Item[]; readonly isCut: boolean }> {
    const items: Item[] = [];
    let from: Item | undefined;
    for (let page = 0; page < pages; page++) {
      const start = from === undefined ? {} : { ExclusiveStartKey: from };
      const answer: TableAnswer = await this.call(operation, { ...input, ...start }, signal);
      items.push(...(answer.Items ?? []));
      from = answer.LastEvaluatedKey;
      if (from === undefined) break;
    }
    return { items, isCut: from !== undefined };
  }

  /** What somebody can read who has to fix it. */
  fault(error: unknown, code: "unwritable" | "unreadable"): LedgerError {
    if (error instanceof LedgerError) return error;
    const { name } = this.#options;
    const { name: kind, message } = error instanceof Error ? error : { name: "unknown", message: String(error) };
    const said = error instanceof NoAnswer ? message : `${kind}: ${message}`;
    const remedy =
      kind === "ResourceNotFoundException"
        ? " (create it: partnerd ledger-table prints its definition)"
        : kind === "AccessDeniedException"
          ? " (the policy needs GetItem, PutItem, DeleteItem, Query and Scan on the table and its index)"
          : "";
    const what = code === "unwritable" ? "is not writable" : "cannot be read";
    return new LedgerError(code, `the ledger's table ${name} ${what}: ${said.slice(0, 300)}${remedy}`, error);
  }

  close(): void {
    this.#options.table.close();
  }
}

/** A page holds thousands of keys: more pages than this are no ledger. */
const pagesMax = 1_000;
