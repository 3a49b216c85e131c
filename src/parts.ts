// Builds each part that a configuration asks for, loading only what it names; the one place that knows every
// implementation. Opens in order and, when one part cannot be had, lets go of the earlier ones.
import type { ArtifactStore } from "./artifacts/artifacts.js";
import type { ApiCall } from "./codepipeline/client.js";
import type { GatewaySettings, Gateways } from "./codepipeline/gateways.js";
import type { Config } from "./config/config.js";
import { Callbacks } from "./handlers/callbacks.js";
import type { HandlerRegistry } from "./handlers/handler.js";
import { buildHandlers } from "./handlers/registry.js";
import { SwappableHandlers } from "./handlers/swappable.js";
import { actionTypeName, type Region } from "./job/job.js";
import type { TableFinding } from "./ledger/dynamodb-check.js";
import type { FleetOperator } from "./ledger/dynamodb-operator.js";
import type { Ledger, LedgerCommit, LedgerHealth } from "./ledger/ledger.js";
import type { Clock } from "./std/clock.js";
import type { Log } from "./std/log.js";
import type { Masker } from "./std/masking.js";
import { MaskedTokens, type TokenLookup } from "./tokens/masked-tokens.js";
import type { ClientTokens } from "./tokens/tokens.js";
import type { Observe } from "./worker/events.js";
import type { LaneConfig } from "./worker/lane.js";
import type { WorkerLimits } from "./worker/parts.js";

/** What parts are built from. */
export interface PartsOptions {
  readonly config: Config;
  readonly log: Log;
  readonly masker: Masker;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Told what parts do that no event tells of: for metrics. None may throw. */
export interface PartReaders {
  readonly onCall?: (call: ApiCall) => void;
  readonly onLookup?: (lookup: TokenLookup) => void;
  readonly onCommit?: (commit: LedgerCommit) => void;
}

/** The parts, wired. */
export interface BuiltParts {
  readonly gateways: Gateways;
  readonly tokens: MaskedTokens;
  readonly handlers: SwappableHandlers;
  readonly ledger: Ledger;
  readonly artifacts: ArtifactStore;
  readonly callbacks: Callbacks;
  readonly closing: { readonly name: string; readonly close: () => Promise<void> | void }[];
  /** Base of callback URLs, once the admin port is open. */
  adminUrl: string | undefined;
}

/** Ended callbacks are remembered so that a repeated delivery is told so; a delivery waits so long for its record. */
export const callbackLimits = { endedKept: 10_000, recordWaitMs: 10_000 };
/** Jobs that ended are remembered for so long, since polls may repeat them; and so many at most. */
const recentLimits = { recentMs: 3_600_000, recentMax: 20_000 };
/** How often the client token file is looked at; a client that it lacks makes it be looked at once. */
const tokenFileCheckMs = 2_000;
/** Long enough that a few jobs go together under load, short beside any call to CodePipeline. */
const memoryGroupMs = 2;
/** A few records share a transaction; a disk that takes longer is as good as none, and is tried again. */
const sqlitePace = { commitSpacingMs: 5, commitTimeoutMs: 30_000, probeIntervalMs: 5_000 };

/**
 * Every 1.5 s replicas look for jobs of a dead one: with their own lease that is well within its end plus 5 s. A call
 * is given up while the lease, 5 s at the least, still has time for the next heartbeat.
 */
const dynamoPace = { lookMs: 1_500, probeIntervalMs: 1_000, connectionTimeoutMs: 1_000, requestTimeoutMs: 2_000 };
const dynamoRetry = { minDelayMs: 50, maxDelayMs: 1_000, factor: 2, maxElapsedMs: 5_000 };

/** Builds all of them. Throws what the first that cannot be built says. */
export async function buildParts(
  options: PartsOptions,
  observe: Observe,
  readers: PartReaders = {},
): Promise<BuiltParts> {
  const { config, clock, log, masker } = options;
  const closing: BuiltParts["closing"] = [];
  try {
    const releaseToken = masker.keep(config.admin.token ? [config.admin.token.reveal()] : []);
    closing.push({ name: "admin token", close: releaseToken });
    const tokens = new MaskedTokens({
      source: await tokensOf(options),
      keepSecrets: (values) => masker.keep(values),
      ...(readers.onLookup ? { onLookup: readers.onLookup } : {}),
    });
    closing.push({ name: "client tokens", close: () => tokens.close() });
    const ledger = await ledgerOf(options, readers);
    closing.push({ name: "ledger", close: () => ledger.close() });
    const { openArtifacts } = await import("./artifacts/opening.js");
    const artifacts = await openArtifacts({ settings: config, clock, log });
    closing.push({ name: "artifact store", close: () => artifacts.close() });
    const callbacks: Callbacks = new Callbacks({ ...callbackLimits, baseUrl: () => built.adminUrl, clock });
    const handlers = new SwappableHandlers(await handlersOf(options, callbacks, observe));
    closing.push({ name: "handlers", close: () => handlers.close() });
    const gateways = await gatewaysOf(config, tokens, clock, readers);
    closing.push({ name: "clients", close: () => gateways.close() });
    const built: BuiltParts = {
      gateways,
      tokens,
      handlers,
      ledger,
      artifacts,
      callbacks,
      closing,
      adminUrl: undefined,
    };
    return built;
  } catch (error) {
    for (const part of closing.toReversed()) await closeQuietly(part, log);
    throw error;
  }
}

/** Opens the configured token source. Throws TokenError. */
export async function tokensOf({ config, clock, log }: PartsOptions): Promise<ClientTokens> {
  const { clientTokens } = config;
  switch (clientTokens.source) {
    case "static": {
      const { StaticClientTokens } = await import("./tokens/static.js");
      return new StaticClientTokens({ tokens: clientTokens.tokens });
    }
    case "file": {
      const [{ openFileTokens }, { tokenFileLine }] = await Promise.all([
        import("./tokens/file.js"),
        import("./tokens/file-lines.js"),
      ]);
      return openFileTokens({
        path: clientTokens.path,
        clock,
        checkIntervalMs: tokenFileCheckMs,
        onEvent: (event) => tokenFileLine(log, event),
      });
    }
  }
}

/** The configured ledger, opened. Throws LedgerError. */
export async function ledgerOf({ config, clock, log }: PartsOptions, readers: PartReaders = {}): Promise<Ledger> {
  const onCommit = readers.onCommit ? { onCommit: readers.onCommit } : {};
  const onHealth = (health: LedgerHealth) =>
    health.writable
      ? log.info({}, "the ledger can be written again")
      : log.error({}, `the ledger cannot be written, so no new job is taken: ${health.reason ?? "unknown"}`);
  switch (config.ledger.store) {
    case "memory": {
      const { MemoryLedger } = await import("./ledger/memory.js");
      return new MemoryLedger({ clock, ...recentLimits, groupMs: memoryGroupMs });
    }
    case "sqlite": {
      const { SqliteLedger } = await import("./ledger/sqlite.js");
      return SqliteLedger.open({
        path: config.ledger.path,
        clock,
        ...recentLimits,
        ...sqlitePace,
        ...onCommit,
        onHealth,
      });
    }
    case "dynamodb": {
      const { openDynamoLedger } = await import("./ledger/dynamodb.js");
      const { table, region, endpoint, leaseMs } = config.ledger;
      return openDynamoLedger({
        table,
        region,
        endpoint,
        leaseMs,
        clock,
        appId: config.aws.appId,
        recentMs: recentLimits.recentMs,
        ...dynamoPace,
        retry: dynamoRetry,
        ...onCommit,
        onHealth,
        onFault: (message) => log.error({}, `the ledger's table: ${message}`),
      });
    }
  }
}

/** What CreateTable needs for a DynamoDB ledger of this name, and the attribute for UpdateTimeToLive. */
export async function ledgerTable(table: string) {
  const { tableDefinition, timeToLiveAttribute } = await import("./ledger/dynamodb-table.js");
  return { definition: tableDefinition(table), timeToLiveAttribute };
}

/** Builds every configured handler. Throws HandlersError. */
export function handlersOf(options: PartsOptions, callbacks: Callbacks, observe: Observe): Promise<HandlerRegistry> {
  const { config, clock, masker, environment } = options;
  return buildHandlers({
    handlers: config.handlers,
    clock,
    masker,
    callbacks,
    retry: config.retry.handler,
    workDir: config.artifacts.workDir,
    cancelGraceMs: config.shutdown.cancelGraceMs,
    environment,
    onAbandoned: (name, call) =>
      observe({ type: "handler-abandoned", key: call.job.key, handler: name, atMs: clock.now() }),
  });
}

async function gatewaysOf(
  config: Config,
  tokens: ClientTokens,
  clock: Clock,
  { onCall }: PartReaders,
): Promise<Gateways> {
  const { Gateways } = await import("./codepipeline/gateways.js");
  const { endpoint, ...aws } = config.aws;
  const settings = gatewaySettingsOf(config);
  return new Gateways({ aws: { endpoint, ...aws, ...(onCall ? { onCall } : {}) }, tokens, clock }, settings);
}

/** Which gateways the lanes of a configuration need. */
export function gatewaySettingsOf(config: Config): GatewaySettings {
  const regions = new Set(lanesOf(config).map(({ region }) => region));
  return {
    regions,
    queryParams: new Map([...regions].map((region) => [region, queryParamsOf(config, region)])),
    clientCooldownMs: config.retry.clientCooldownMs,
  };
}

/** By action type name; one type may be asked for different values in different Regions. */
function queryParamsOf(config: Config, region: Region): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const here = config.actionTypes.filter((type) => type.regions.includes(region));
  return new Map(here.flatMap((type) => (type.queryParam ? [[actionTypeName(type), type.queryParam] as const] : [])));
}

/** The engine's limits. */
export function limitsOf({ worker, polling, shutdown, retry }: Config): WorkerLimits {
  return { maxConcurrentJobs: worker.maxConcurrentJobs, polling, shutdown, retry };
}

/** One lane for each action type in each of its Regions. */
export function lanesOf(config: Config): readonly LaneConfig[] {
  return config.actionTypes.flatMap((type) =>
    type.regions.map((region) => ({
      region,
      actionType: { category: type.category, owner: type.owner, provider: type.provider, version: type.version },
      handler: type.handler,
      maxConcurrentJobs: type.maxConcurrentJobs,
      jobTimeoutMs: type.jobTimeoutMs,
      afterCrash: type.afterCrash,
      secretProperties: type.secretProperties,
    })),
  );
}

/** Lets go of a part; a failure is told and keeps nobody else from closing. */
export async function closeQuietly(
  part: { readonly name: string; readonly close: () => Promise<void> | void },
  log: Log,
): Promise<void> {
  try {
    await part.close();
  } catch (error) {
    log.error({ err: error }, `could not close the ${part.name}`);
  }
}

/** What an operator needs of a fleet's table, without being one of its replicas. */
export interface FleetTools {
  readonly operator: FleetOperator;
  /** What is wrong with the table, and how to mend it. */
  readonly check: () => Promise<readonly TableFinding[]>;
  readonly close: () => void;
}

/** Opens the configured DynamoDB table for an operator. Throws LedgerError. */
export async function fleetToolsOf({ config, clock, log }: PartsOptions): Promise<FleetTools> {
  const { ledger } = config;
  if (ledger.store !== "dynamodb") throw new Error(`bug: a ledger in ${ledger.store} has no table`);
  const [{ checkDynamoTable, openDynamoTable }, { FleetOperator }, { PatientTable }] = await Promise.all([
    import("./ledger/dynamodb.js"),
    import("./ledger/dynamodb-operator.js"),
    import("./ledger/dynamodb-table.js"),
  ]);
  const where = {
    table: ledger.table,
    region: ledger.region,
    endpoint: ledger.endpoint,
    appId: config.aws.appId,
    ...dynamoPace,
  };
  const { table: name } = ledger;
  const opened = await openDynamoTable(where);
  const table = new PatientTable({ table: opened, name, clock, retry: dynamoRetry });
  const onWait = (message: string) => log.warn({}, message);
  const operator = new FleetOperator({ table, clock, recentMs: recentLimits.recentMs, onWait });
  return { operator, check: () => checkDynamoTable(where), close: () => table.close() };
}
