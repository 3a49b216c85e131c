// Whether a table is one that the DynamoDB ledger can work with: pure, from what DescribeTable and DescribeTimeToLive
// answer. Each finding says what is wrong and how to fix it. How the table is billed does not matter.
import { historyIndex, holderIndex } from "./rows.js";
import { addHistoryIndex, timeToLiveAttribute } from "./table.js";

/** One thing that is wrong with a table. `isFatal`: the ledger cannot work with it. */
export interface TableFinding {
  readonly isFatal: boolean;
  readonly message: string;
}

interface Key {
  readonly AttributeName?: string | undefined;
  readonly KeyType?: string | undefined;
}

/** As much of DescribeTable's answer as is looked at. */
export interface TableDescription {
  readonly TableStatus?: string | undefined;
  readonly KeySchema?: readonly Key[] | undefined;
  readonly AttributeDefinitions?:
    | readonly { readonly AttributeName?: string | undefined; readonly AttributeType?: string | undefined }[]
    | undefined;
  readonly GlobalSecondaryIndexes?:
    | readonly {
        readonly IndexName?: string | undefined;
        readonly IndexStatus?: string | undefined;
        readonly KeySchema?: readonly Key[] | undefined;
      }[]
    | undefined;
}

/** As much of DescribeTimeToLive's answer as is looked at. */
export interface TimeToLiveDescription {
  readonly TimeToLiveStatus?: string | undefined;
  readonly AttributeName?: string | undefined;
}

/** What is wrong with the table; nothing if it is as `partnerd ledger-table` prints it. */
export function findingsOf(
  name: string,
  table: TableDescription,
  timeToLive: TimeToLiveDescription | undefined,
): readonly TableFinding[] {
  return [
    ...statusFindings(name, table),
    ...keyFindings(name, table),
    ...historyFindings(name, table),
    ...timeToLiveFindings(name, timeToLive),
  ];
}

/** The finding of a call that was refused. */
export function refusalFinding(name: string, operation: string, error: unknown): TableFinding {
  const { name: kind, message } = error instanceof Error ? error : { name: "unknown", message: String(error) };
  if (kind === "ResourceNotFoundException") {
    return fatal(`the ledger's table ${name} does not exist here: partnerd ledger-table prints how to create it`);
  }
  const what = `${operation} of the ledger's table ${name} failed: ${kind}: ${message.slice(0, 300)}`;
  if (kind === "AccessDeniedException") {
    return { isFatal: false, message: `${what} (allow dynamodb:${operation} on it to have it checked)` };
  }
  // Emulators of DynamoDB know no time to live, and the ledger works without.
  const isUnknown = kind === "UnknownOperationException";
  return { isFatal: !isUnknown, message: isUnknown ? `${what}; old rows may never be removed` : what };
}

function statusFindings(name: string, { TableStatus: status }: TableDescription): readonly TableFinding[] {
  if (status === "ACTIVE" || status === "UPDATING") return [];
  return [fatal(`the ledger's table ${name} is ${status ?? "in no known state"}, not ACTIVE: wait, or recreate it`)];
}

function keyFindings(name: string, table: TableDescription): readonly TableFinding[] {
  const findings: TableFinding[] = [];
  const anew = "keys cannot be changed: create another table as partnerd ledger-table prints it";
  const keys = keysOf(table.KeySchema, table);
  if (keys !== "pk HASH S, sk RANGE S") {
    findings.push(fatal(`the ledger's table ${name} has the key ${keys}, not pk HASH S, sk RANGE S; ${anew}`));
  }
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === holderIndex);
  const remedy = "aws dynamodb update-table creates it as partnerd ledger-table prints it";
  if (!index) return [...findings, fatal(`the ledger's table ${name} has no index ${holderIndex}; ${remedy}`)];
  const indexKeys = keysOf(index.KeySchema, table);
  if (indexKeys !== "owedBy HASH S") {
    const message = `the index ${holderIndex} of the table ${name} has the key ${indexKeys}, not owedBy HASH S; delete it, then ${remedy}`;
    findings.push(fatal(message));
  }
  if (index.IndexStatus !== undefined && index.IndexStatus !== "ACTIVE" && index.IndexStatus !== "UPDATING") {
    findings.push(
      fatal(`the index ${holderIndex} of the table ${name} is ${index.IndexStatus}: wait until it is ACTIVE`),
    );
  }
  return findings;
}

/** Jobs are worked without it; only the history of ended jobs cannot be read. */
function historyFindings(name: string, table: TableDescription): readonly TableFinding[] {
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === historyIndex);
  if (index) return [];
  const message = `the ledger's table ${name} has no index ${historyIndex}, so ended jobs cannot be listed; ${addHistoryIndex(name)}`;
  return [{ isFatal: false, message }];
}

function keysOf(keys: readonly Key[] | undefined, { AttributeDefinitions: attributes }: TableDescription): string {
  const typeOf = (key: Key) => attributes?.find((one) => one.AttributeName === key.AttributeName)?.AttributeType ?? "?";
  return (keys ?? []).map((key) => `${key.AttributeName} ${key.KeyType} ${typeOf(key)}`).join(", ") || "none";
}

function timeToLiveFindings(name: string, timeToLive: TimeToLiveDescription | undefined): readonly TableFinding[] {
  if (timeToLive === undefined) return [];
  const { TimeToLiveStatus: status, AttributeName: attribute } = timeToLive;
  const isOn = status === "ENABLED" || status === "ENABLING";
  if (isOn && attribute === timeToLiveAttribute) return [];
  const what = isOn
    ? `removes old rows by ${attribute ?? "no attribute"}, not by ${timeToLiveAttribute}`
    : "never removes old rows";
  const remedy = `aws dynamodb update-time-to-live --table-name ${name} --time-to-live-specification Enabled=true,AttributeName=${timeToLiveAttribute}`;
  return [{ isFatal: false, message: `the ledger's table ${name} ${what}, so it never stops growing: ${remedy}` }];
}

function fatal(message: string): TableFinding {
  return { isFatal: true, message };
}
