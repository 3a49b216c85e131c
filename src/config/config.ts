// The effective configuration: frozen, complete, checked; what daemon.ts builds everything from.
// Units are in the names. Defaults are in schema.ts and nowhere else.
import type { ActionType, ClientId, ClientToken, Region } from "../job/job.js";
import type { Secret } from "../job/secret.js";

export interface Config {
  readonly actionTypes: readonly ActionTypeConfig[];
  readonly handlers: Readonly<Record<string, HandlerConfig>>;
  readonly clientTokens: ClientTokensConfig;
  readonly worker: { readonly maxConcurrentJobs: number };
  readonly polling: { readonly minIntervalMs: number; readonly maxIntervalMs: number };
  readonly ledger: LedgerConfig;
  readonly artifacts: {
    readonly workDir: string;
    readonly maxArchiveBytes: number;
    readonly maxExtractedBytes: number;
    readonly maxEntries: number;
    readonly maxRatio: number;
    readonly maxRatioFrom: number;
    readonly maxLinks: number;
    readonly badLinks: "refuse" | "skip";
    /** Bytes; 0: no check. */
    readonly minFreeBytes: number;
    /** Unset: `aws.endpoint` when that is not AWS's own, else S3 in the job's Region. */
    readonly endpoint?: string;
    readonly requestTimeoutMs: number;
  };
  readonly shutdown: {
    readonly drainTimeoutMs: number;
    readonly cancelGraceMs: number;
    readonly reportTimeoutMs: number;
  };
  readonly admin: {
    readonly host: string;
    /** 0: no admin port. */
    readonly port: number;
    /** Bearer token of the control routes; needed when host is not loopback. */
    readonly token?: Secret<string>;
    /** Base of the callback URLs that http handlers are given; default http://HOST:PORT. */
    readonly publicUrl?: string;
  };
  /** How long systemd waits for the first good poll. */
  readonly systemd: { readonly readyWaitMs: number };
  readonly log: { readonly level: LogLevel; readonly format: "json" | "pretty" };
  readonly aws: {
    /** Unset: the SDK's ordinary variables and rules decide. */
    readonly endpoint?: string;
    /** In the user agent, at most 50 characters. */
    readonly appId: string;
    readonly connectionTimeoutMs: number;
    readonly socketTimeoutMs: number;
    readonly requestTimeoutMs: number;
  };
  readonly retry: RetryConfig;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface ActionTypeConfig extends ActionType {
  /** A key of `handlers`. */
  readonly handler: string;
  readonly regions: readonly Region[];
  readonly maxConcurrentJobs: number;
  readonly jobTimeoutMs: number;
  readonly afterCrash: "fail" | "rerun";
  /** Custom action types only; at most one entry. */
  readonly queryParam?: Readonly<Record<string, string>>;
  /** Configuration properties whose values are secret: masked wherever they turn up. */
  readonly secretProperties: readonly string[];
  /** Taken out of what looks secret by its name and of what the action type marks. */
  readonly notSecretProperties?: readonly string[];
}

export type HandlerConfig = ModuleHandlerConfig | CommandHandlerConfig | HttpHandlerConfig;

/** When a handler counts as broken: so many failures of its own in a row, each within the window of the one before. */
export interface BreakerConfig {
  readonly failures: number;
  readonly windowMs: number;
}

interface AnyHandlerConfig {
  /** Absent: it never counts as broken. */
  readonly breaker?: BreakerConfig;
}

export interface ModuleHandlerConfig extends AnyHandlerConfig {
  readonly kind: "module";
  /** Absolute. */
  readonly path: string;
  /** `thread`: in a worker thread of its own; `none`: in the daemon's. */
  readonly isolation: "thread" | "none";
  /** Of its thread: heap and buffers together. */
  readonly maxMemoryBytes: number;
}

export interface CommandHandlerConfig extends AnyHandlerConfig {
  readonly kind: "command";
  /** Program and arguments; a program that starts with a dot or holds a slash is absolute here. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Whom it runs as, by names or numbers; absent: whom the daemon runs as. */
  readonly user?: string;
  readonly group?: string;
}

export interface HttpHandlerConfig extends AnyHandlerConfig {
  readonly kind: "http";
  readonly url: string;
  /** `whsec_…`: it and each of `secrets` sign every request by the Standard Webhooks scheme. */
  readonly secret?: Secret<string>;
  readonly secrets?: readonly Secret<string>[];
  /** For one answer; the job's deadline holds besides. */
  readonly requestTimeoutMs: number;
}

export type ClientTokensConfig =
  | { readonly source: "static"; readonly tokens: Readonly<Record<ClientId, Secret<ClientToken>>> }
  /** YAML or JSON: `{clientId: token}`; absolute path; re-read when it changes. */
  | { readonly source: "file"; readonly path: string };

export type LedgerConfig =
  | { readonly store: "memory" }
  /** Absolute path. */
  | { readonly store: "sqlite"; readonly path: string }
  | DynamoLedgerConfig;

/** One table for a whole fleet. */
export interface DynamoLedgerConfig {
  readonly store: "dynamodb";
  readonly table: string;
  /** Unset: the SDK's own variables and rules decide. */
  readonly region?: string;
  /** Unset: the SDK's own variables and rules decide. */
  readonly endpoint?: string;
  /** How long a replica may be silent before others take its jobs over. */
  readonly leaseMs: number;
}

/** Full jitter: each wait is random between 0 and min(maxDelay, minDelay × factor^n). */
export interface RetryPolicy {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly factor: number;
  /** Give up when so much time has passed since the first attempt; Infinity: the job's life decides. */
  readonly maxElapsedMs: number;
}

export interface RetryConfig {
  /** A poll that failed. */
  readonly poll: RetryPolicy;
  /** A poll that was throttled: steeper. */
  readonly throttledPoll: RetryPolicy;
  /** Get…JobDetails; given up, the job is left to be offered again. */
  readonly details: RetryPolicy;
  /** Acknowledge…; asked again until answered or drained. */
  readonly acknowledge: RetryPolicy;
  /** Put…Result; owed until accepted. */
  readonly report: RetryPolicy;
  /** Calls of http handlers; until the job's deadline. */
  readonly handler: RetryPolicy;
  /** A request of a transfer; a download's patience begins anew whenever bytes came. */
  readonly artifact: RetryPolicy;
  /** How long a client whose token was refused is left alone. */
  readonly clientCooldownMs: number;
}
