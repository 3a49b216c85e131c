// From checked settings to the Config that daemon.ts builds from: units in numbers, secrets wrapped, all of it frozen.
import type { ActionCategory, ActionOwner, ClientId, ClientToken, Region } from "../job/job.js";
import { Secret } from "../job/secret.js";
import type {
  ActionTypeConfig,
  ClientTokensConfig,
  Config,
  HandlerConfig,
  LedgerConfig,
  LogLevel,
  RetryPolicy,
} from "./config.js";
import type { HandlerEntry } from "./entries.js";
import type { Settings } from "./settings.js";

/** What a configuration is built from: everything in it has been found right. */
export interface Parts {
  readonly settings: Settings;
  readonly actionTypes: readonly string[];
  readonly handlers: readonly HandlerEntry[];
  readonly regionsOf: (actionType: string) => readonly string[];
}

export function buildConfig(parts: Parts): Config {
  const { settings } = parts;
  const ms = (path: string) => settings.durationMs(path);
  const token = settings.optionalText("admin.token");
  const publicUrl = settings.optionalText("admin.publicUrl");
  const endpoint = settings.optionalText("aws.endpoint");
  return frozen({
    actionTypes: parts.actionTypes.map((path) => actionTypeOf(path, parts)),
    handlers: record(parts.handlers.map((handler) => [handler.name, handlerOf(handler, settings)])),
    clientTokens: clientTokensOf(settings),
    worker: { maxConcurrentJobs: settings.number("worker.maxConcurrentJobs") },
    polling: { minIntervalMs: ms("polling.minInterval"), maxIntervalMs: ms("polling.maxInterval") },
    ledger: ledgerOf(settings),
    artifacts: artifactsOf(settings),
    shutdown: {
      drainTimeoutMs: ms("shutdown.drainTimeout"),
      cancelGraceMs: ms("shutdown.cancelGrace"),
      reportTimeoutMs: ms("shutdown.reportTimeout"),
    },
    admin: {
      host: settings.text("admin.host"),
      port: settings.number("admin.port"),
      ...(token === undefined ? {} : { token: new Secret(token) }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
    },
    systemd: { readyWaitMs: ms("systemd.readyWait") },
    log: {
      level: settings.text("log.level") as LogLevel,
      format: settings.text("log.format") as Config["log"]["format"],
    },
    aws: {
      ...(endpoint === undefined ? {} : { endpoint }),
      appId: settings.text("aws.appId"),
      connectionTimeoutMs: ms("aws.connectionTimeout"),
      socketTimeoutMs: ms("aws.socketTimeout"),
      requestTimeoutMs: ms("aws.requestTimeout"),
    },
    retry: {
      poll: policyOf("poll", settings),
      throttledPoll: policyOf("throttledPoll", settings),
      details: {
        ...policyOf("details", settings),
        maxElapsedMs: ms("retry.details.maxElapsed"),
      },
      acknowledge: policyOf("acknowledge", settings),
      report: policyOf("report", settings),
      handler: policyOf("handler", settings),
      artifact: { ...policyOf("artifact", settings), maxElapsedMs: ms("retry.artifact.maxElapsed") },
      clientCooldownMs: ms("retry.clientCooldown"),
    },
  });
}

function actionTypeOf(path: string, { settings, regionsOf }: Parts): ActionTypeConfig {
  const queryParam = settings.get(`${path}.queryParam`);
  return {
    category: settings.text(`${path}.category`) as ActionCategory,
    owner: settings.text(`${path}.owner`) as ActionOwner,
    provider: settings.text(`${path}.provider`),
    version: settings.text(`${path}.version`),
    handler: settings.text(`${path}.handler`),
    regions: regionsOf(path) as readonly Region[],
    maxConcurrentJobs: settings.number(`${path}.maxConcurrentJobs`),
    jobTimeoutMs: settings.durationMs(`${path}.jobTimeout`),
    afterCrash: settings.text(`${path}.afterCrash`) as ActionTypeConfig["afterCrash"],
    // An empty map means what no map means to PollForJobs.
    ...(queryParam instanceof Map && queryParam.size > 0 ? { queryParam: record<string>(queryParam) } : {}),
    secretProperties: settings.list(`${path}.secretProperties`),
    notSecretProperties: settings.list(`${path}.notSecretProperties`),
  };
}

function handlerOf({ path, kind }: HandlerEntry, settings: Settings): HandlerConfig {
  const breaker = {
    failures: settings.number(`${path}.breaker.failures`),
    windowMs: settings.durationMs(`${path}.breaker.window`),
  };
  switch (kind) {
    case "module":
      return {
        kind,
        path: settings.text(`${path}.path`),
        isolation: settings.text(`${path}.isolation`) as "thread" | "none",
        maxMemoryBytes: settings.bytes(`${path}.maxMemory`),
        breaker,
      };
    case "command": {
      const [user, group] = [settings.get(`${path}.user`), settings.get(`${path}.group`)];
      return {
        kind,
        command: settings.list(`${path}.command`) as readonly [string, ...string[]],
        env: record<string>(settings.map(`${path}.env`) as ReadonlyMap<string, string>),
        ...(user === null ? {} : { user: String(user) }),
        ...(group === null ? {} : { group: String(group) }),
        breaker,
      };
    }
    case "http": {
      const secret = settings.optionalText(`${path}.secret`);
      const more = [`${path}.secrets`, `${path}.secretFiles`].flatMap((key) => settings.list(key));
      return {
        kind,
        url: settings.text(`${path}.url`),
        ...(secret === undefined ? {} : { secret: new Secret(secret) }),
        ...(more.length === 0 ? {} : { secrets: more.map((each) => new Secret(each)) }),
        requestTimeoutMs: settings.durationMs(`${path}.requestTimeout`),
        breaker,
      };
    }
  }
}

function clientTokensOf(settings: Settings): ClientTokensConfig {
  if (settings.text("clientTokens.source") === "file") {
    return { source: "file", path: settings.text("clientTokens.path") };
  }
  const tokens = settings.map("clientTokens.tokens") as ReadonlyMap<ClientId, ClientToken>;
  return { source: "static", tokens: record([...tokens].map(([id, token]) => [id, new Secret(token)])) };
}

function ledgerOf(settings: Settings): LedgerConfig {
  switch (settings.text("ledger.store") as LedgerConfig["store"]) {
    case "memory":
      return { store: "memory" };
    case "sqlite":
      return { store: "sqlite", path: settings.text("ledger.path") };
    case "dynamodb": {
      const region = settings.optionalText("ledger.region");
      const endpoint = settings.optionalText("ledger.endpoint");
      return {
        store: "dynamodb",
        table: settings.text("ledger.table"),
        ...(region === undefined ? {} : { region }),
        ...(endpoint === undefined ? {} : { endpoint }),
        leaseMs: settings.durationMs("ledger.lease"),
      };
    }
  }
}

function artifactsOf(settings: Settings): Config["artifacts"] {
  const endpoint = settings.optionalText("artifacts.endpoint");
  return {
    workDir: settings.text("artifacts.workDir"),
    maxArchiveBytes: settings.bytes("artifacts.maxArchiveBytes"),
    maxExtractedBytes: settings.bytes("artifacts.maxExtractedBytes"),
    maxEntries: settings.number("artifacts.maxEntries"),
    maxRatio: settings.number("artifacts.maxRatio"),
    maxRatioFrom: settings.bytes("artifacts.maxRatioFrom"),
    maxLinks: settings.number("artifacts.maxLinks"),
    badLinks: settings.text("artifacts.badLinks") as Config["artifacts"]["badLinks"],
    minFreeBytes: settings.bytes("artifacts.minFreeBytes"),
    ...(endpoint === undefined ? {} : { endpoint }),
    requestTimeoutMs: settings.durationMs("artifacts.requestTimeout"),
  };
}

function policyOf(name: string, settings: Settings): RetryPolicy {
  return {
    minDelayMs: settings.durationMs(`retry.${name}.minDelay`),
    maxDelayMs: settings.durationMs(`retry.${name}.maxDelay`),
    factor: settings.number(`retry.${name}.factor`),
    maxElapsedMs: Number.POSITIVE_INFINITY,
  };
}

/** An object without a prototype: looking up a handler called `constructor` must find nothing. */
function record<V>(entries: Iterable<readonly [string, V]>): Readonly<Record<string, V>> {
  return Object.assign(Object.create(null) as Record<string, V>, Object.fromEntries(entries));
}

/** Freezes plain objects and arrays, all the way down. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Secret) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
