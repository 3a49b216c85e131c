// Builds the configured ledger, or what an operator needs of a fleet's table without being one of its replicas.
// The one place that knows every kind of ledger, and how fast each goes.

import { type FleetPause, pauseText } from "../job/fleet.js";
import type { TableFinding } from "../ledger/dynamodb/check.js";
import type { FleetOperator } from "../ledger/dynamodb/operator.js";
import type { Ledger, LedgerHealth } from "../ledger/ledger.js";
import type { Log } from "../std/log.js";
import type { PartReaders, PartsOptions } from "./parts-options.js";
import { proxiesOf } from "./proxies-of.js";

/** Jobs that ended are remembered for so long, since polls may repeat them; and so many at most. */
const recentLimits = { recentMs: 3_600_000, recentMax: 20_000 };
/** Long enough that a few jobs go together under load, short beside any call to CodePipeline. */
const memoryGroupMs = 2;
/** A few records share a transaction; a disk that takes longer is as good as none, and is tried again. */
const sqlitePace = { commitSpacingMs: 2, commitTimeoutMs: 30_000, probeIntervalMs: 5_000 };

/** A call is given up while the shortest lease still has time for the next heartbeat. */
const dynamoPace = { probeIntervalMs: 1_000, connectionTimeoutMs: 1_000, requestTimeoutMs: 2_000 };
const dynamoRetry = { minDelayMs: 50, maxDelayMs: 1_000, factor: 2, maxElapsedMs: 5_000 };

/** The configured ledger, opened. Throws LedgerError. */
export async function ledgerOf(options: PartsOptions, readers: PartReaders = {}): Promise<Ledger> {
  const { config, clock, log } = options;
  const history = config.ledger.history ? { history: config.ledger.history } : {};
  const onCommit = readers.onCommit ? { onCommit: readers.onCommit } : {};
  const onHealth = (health: LedgerHealth) =>
    health.writable
      ? log.info("ledger-restored", {}, "the ledger is writable again: accepting jobs")
      : notWritable(log, health.reason ?? "unknown");
  switch (config.ledger.store) {
    case "memory": {
      const { MemoryLedger } = await import("../ledger/memory.js");
      return new MemoryLedger({ clock, ...recentLimits, groupMs: memoryGroupMs, ...history });
    }
    case "sqlite": {
      const { SqliteLedger } = await import("../ledger/sqlite/sqlite-ledger.js");
      return SqliteLedger.open({
        path: config.ledger.path,
        clock,
        ...recentLimits,
        ...history,
        ...sqlitePace,
        ...onCommit,
        onHealth,
        onWarning: (message) => log.warn("ledger-warning", {}, message),
      });
    }
    case "dynamodb": {
      const { openDynamoLedger } = await import("../ledger/dynamodb/opening.js");
      const { table, region, endpoint, leaseMs } = config.ledger;
      return openDynamoLedger({
        table,
        region,
        endpoint,
        leaseMs,
        graceMs: config.shutdown.cancelGraceMs,
        clock,
        appId: config.aws.appId,
        proxies: proxiesOf(options),
        recentMs: recentLimits.recentMs,
        ...history,
        ...dynamoPace,
        retry: dynamoRetry,
        ...onCommit,
        onHealth,
        onPause: (pause) => pauseLine(log, pause),
        onFault: (message) => log.error("ledger-table-failed", {}, `the ledger's table: ${message}`),
      });
    }
  }
}

function pauseLine(log: Log, pause: FleetPause | undefined): void {
  if (!pause) return log.info("fleet-resumed", {}, "the fleet is resumed");
  const { by } = pause;
  log.warn("fleet-paused", { by }, `${pauseText(pause)}: not accepting jobs until partnerd fleet resume`);
}

function notWritable(log: Log, reason: string): void {
  log.error("ledger-not-writable", { reason }, `the ledger is not writable: not accepting jobs: ${reason}`);
}

/** What CreateTable needs for a DynamoDB ledger of this name, and the attribute for UpdateTimeToLive. */
export async function ledgerTable(table: string) {
  const { tableDefinition, timeToLiveAttribute } = await import("../ledger/dynamodb/table.js");
  return { definition: tableDefinition(table), timeToLiveAttribute };
}

/** What an operator needs of a fleet's table, without being one of its replicas. */
export interface FleetTools {
  readonly operator: FleetOperator;
  /** What is wrong with the table, and how to fix it. */
  readonly check: () => Promise<readonly TableFinding[]>;
  readonly close: () => void;
}

/** Opens the configured DynamoDB table for an operator. Throws LedgerError. */
export async function fleetToolsOf(options: PartsOptions): Promise<FleetTools> {
  const { config, clock, log } = options;
  const { ledger } = config;
  if (ledger.store !== "dynamodb") throw new Error(`bug: a ledger in ${ledger.store} has no table`);
  const [{ checkDynamoTable, openDynamoTable }, { FleetOperator }, { RetryingTable }] = await Promise.all([
    import("../ledger/dynamodb/opening.js"),
    import("../ledger/dynamodb/operator.js"),
    import("../ledger/dynamodb/table.js"),
  ]);
  const where = {
    table: ledger.table,
    region: ledger.region,
    endpoint: ledger.endpoint,
    appId: config.aws.appId,
    proxies: proxiesOf(options),
    ...dynamoPace,
  };
  const { table: name } = ledger;
  const opened = await openDynamoTable(where);
  const table = new RetryingTable({ table: opened, name, clock, retry: dynamoRetry });
  const onWait = (message: string) => log.warn("ledger-waiting", {}, message);
  const { recentMs } = recentLimits;
  const operator = new FleetOperator({
    table,
    name,
    clock,
    recentMs,
    ...(ledger.history ? { history: ledger.history } : {}),
    onWait,
  });
  return { operator, check: () => checkDynamoTable(where), close: () => table.close() };
}
