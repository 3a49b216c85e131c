// Every key of the configuration: its default, its environment variable, its limits and one sentence. With
// entry-schema.ts, its second half, the only home of defaults. The table in README.md is made from the two.
import { artifactsSchema, ledgerSchema } from "./entry-schema.js";
import {
  boolean,
  duration,
  durationOrNone,
  hiddenText,
  httpUrl,
  integer,
  number,
  oneOf,
  path,
  text,
  textMap,
} from "./formats.js";
import type { Section } from "./setting.js";
import { setting } from "./setting.js";
import { actionTypesFormat, handlersFormat, listenHost, regionListFormat } from "./shapes.js";

/** Longest wait that makes sense anywhere: CodePipeline ends custom actions after a day. */
const day = "24h";

/** The keys of the configuration; those of `ledger`, `artifacts` and single entries are in entry-schema.ts. */
export const schema = {
  regions: setting({
    doc: "Regions in which action types are polled that name none of their own.",
    kind: regionListFormat,
    env: "PARTNERD_REGIONS",
    defaultText: "`AWS_REGION`, `AWS_DEFAULT_REGION`",
  }),
  allowUnknownRegions: setting({
    doc: "Accept Regions that this version has not heard of.",
    kind: boolean(),
    default: false,
    env: "PARTNERD_ALLOW_UNKNOWN_REGIONS",
  }),
  actionTypes: setting({ doc: "The action types to work, a list.", kind: actionTypesFormat, required: true }),
  handlers: setting({ doc: "The code that does the work, by name.", kind: handlersFormat, required: true }),
  clientTokens: {
    source: setting({
      doc: "Where client tokens come from; needed for third-party action types.",
      kind: oneOf(["static", "file"], ["http", "command", "module", "secrets-manager", "dynamodb"]),
      default: "static",
      env: "PARTNERD_CLIENT_TOKENS_SOURCE",
    }),
    path: setting({
      doc: "The client token file, `{clientId: token}` as YAML or JSON, for the source `file`; it is re-read when it changes.",
      kind: path(),
      env: "PARTNERD_CLIENT_TOKENS_PATH",
      isPath: true,
    }),
    tokens: setting({
      doc: "Tokens by client id, for the source `static`.",
      kind: textMap({
        key: text({
          max: 36,
          form: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
          says: "a client id: a UUID in lower case",
        }),
        value: hiddenText({ min: 1, max: 256 }),
        max: 10_000,
      }),
      default: new Map(),
      defaultText: "none",
      sensitive: true,
    }),
  },
  worker: {
    maxConcurrentJobs: setting({
      doc: "Jobs worked at once, of all action types together.",
      kind: integer(1, 10_000),
      default: 50,
      env: "PARTNERD_WORKER_MAX_CONCURRENT_JOBS",
    }),
  },
  polling: {
    minInterval: setting({
      doc: "Rest between two polls while jobs come.",
      kind: duration("50ms", "1h"),
      default: "1s",
      env: "PARTNERD_POLLING_MIN_INTERVAL",
    }),
    maxInterval: setting({
      doc: "Rest between two polls when there has been nothing for a while.",
      kind: duration("50ms", "1h"),
      default: "15s",
      env: "PARTNERD_POLLING_MAX_INTERVAL",
    }),
  },
  ledger: ledgerSchema,
  artifacts: artifactsSchema,
  shutdown: {
    drainTimeout: setting({
      doc: "How long a stop waits for running jobs before it aborts their handlers.",
      kind: duration("0s", day),
      default: "25s",
      env: "PARTNERD_SHUTDOWN_DRAIN_TIMEOUT",
    }),
    cancelGrace: setting({
      doc: "How long an aborted handler may take to end before it is killed or abandoned.",
      kind: duration("0s", "10m"),
      default: "5s",
      env: "PARTNERD_SHUTDOWN_CANCEL_GRACE",
    }),
    reportTimeout: setting({
      doc: "How long a stop goes on reporting outcomes before it leaves them in the ledger.",
      kind: duration("0s", "1h"),
      default: "20s",
      env: "PARTNERD_SHUTDOWN_REPORT_TIMEOUT",
    }),
  },
  admin: {
    host: setting({
      doc: "Address of the admin port; anything but loopback needs `admin.token`.",
      kind: listenHost(),
      default: "127.0.0.1",
      env: "PARTNERD_ADMIN_HOST",
    }),
    port: setting({
      doc: "Port for probes, metrics, status and callbacks; 0: off.",
      kind: integer(0, 65_535),
      default: 9464,
      env: "PARTNERD_ADMIN_PORT",
    }),
    token: setting({
      doc: "Bearer token of the control routes and, where other machines reach the port, of the status page; `admin.tokenFile` or `PARTNERD_ADMIN_TOKEN_FILE` name a file that holds it.",
      kind: hiddenText({ min: 16, max: 512, form: /^[A-Za-z0-9._~+/=-]+$/, says: "a bearer token" }),
      env: "PARTNERD_ADMIN_TOKEN",
      sensitive: true,
      hasFileForm: true,
    }),
    publicUrl: setting({
      doc: "Base of the callback URLs that http handlers are given.",
      kind: httpUrl(),
      env: "PARTNERD_ADMIN_PUBLIC_URL",
      defaultText: "`http://HOST:PORT`",
    }),
  },
  systemd: {
    readyWait: setting({
      doc: "Under systemd: how long the first good poll is waited for; then the unit counts as started all the same.",
      kind: duration("0s", "1h"),
      default: "30s",
      env: "PARTNERD_SYSTEMD_READY_WAIT",
    }),
  },
  log: {
    level: setting({
      doc: "The least important log lines that are written.",
      kind: oneOf(["debug", "info", "warn", "error"]),
      default: "info",
      env: "PARTNERD_LOG_LEVEL",
    }),
    format: setting({
      doc: "`json` for machines, `pretty` for people.",
      kind: oneOf(["json", "pretty"]),
      default: "json",
      env: "PARTNERD_LOG_FORMAT",
    }),
  },
  aws: {
    endpoint: setting({
      doc: "Another CodePipeline endpoint, such as the emulator's; unset, the AWS SDK's own variables and rules decide.",
      kind: httpUrl(),
      env: "PARTNERD_AWS_ENDPOINT",
    }),
    appId: setting({
      doc: "Names this worker in the user agent of its calls.",
      kind: text({ max: 50, form: /^[A-Za-z0-9!$%&'*+.^_`|~#-]+$/, says: "letters, digits and - _ . without spaces" }),
      default: "partnerd",
      env: "PARTNERD_AWS_APP_ID",
    }),
    connectionTimeout: setting({
      doc: "Longest wait for a connection to AWS.",
      kind: duration("100ms", "5m"),
      default: "3s",
      env: "PARTNERD_AWS_CONNECTION_TIMEOUT",
    }),
    socketTimeout: setting({
      doc: "Longest silence on a connection to AWS.",
      kind: duration("100ms", "5m"),
      default: "10s",
      env: "PARTNERD_AWS_SOCKET_TIMEOUT",
    }),
    requestTimeout: setting({
      doc: "Longest wait for one answer of AWS.",
      kind: duration("100ms", "5m"),
      default: "15s",
      env: "PARTNERD_AWS_REQUEST_TIMEOUT",
    }),
  },
  retry: {
    poll: policy("a failed poll", "PARTNERD_RETRY_POLL", {
      minDelay: "1s",
      maxDelayText: "`polling.maxInterval`",
      factor: 4,
    }),
    throttledPoll: policy("a throttled poll", "PARTNERD_RETRY_THROTTLED_POLL", {
      minDelay: "2s",
      maxDelay: "30s",
      factor: 3,
    }),
    details: policy("a failed request for a job's details", "PARTNERD_RETRY_DETAILS", {
      minDelay: "200ms",
      maxDelay: "5s",
      factor: 2,
      maxElapsed: "30s",
    }),
    acknowledge: policy("a failed acknowledge", "PARTNERD_RETRY_ACKNOWLEDGE", {
      minDelay: "200ms",
      maxDelay: "10s",
      factor: 2,
    }),
    report: policy("a failed report", "PARTNERD_RETRY_REPORT", { minDelay: "500ms", maxDelay: "30s", factor: 2 }),
    handler: policy("a failed call of an http handler", "PARTNERD_RETRY_HANDLER", {
      minDelay: "500ms",
      maxDelay: "30s",
      factor: 2,
    }),
    artifact: policy("a failed transfer of an artifact", "PARTNERD_RETRY_ARTIFACT", {
      minDelay: "200ms",
      maxDelay: "10s",
      factor: 2,
      maxElapsed: "2m",
    }),
    clientCooldown: setting({
      doc: "How long a client is left alone after CodePipeline refused its token.",
      kind: duration("0s", day),
      default: "60s",
      env: "PARTNERD_RETRY_CLIENT_COOLDOWN",
    }),
  },
} satisfies Section;

/** A retry policy's keys; std/retry.ts says how waits are drawn from them. */
function policy(
  what: string,
  env: string,
  defaults: { minDelay: string; maxDelay?: string; maxDelayText?: string; factor: number; maxElapsed?: string },
): Section {
  return {
    minDelay: setting({
      doc: `Longest first wait after ${what}.`,
      kind: duration("10ms", day),
      default: defaults.minDelay,
      env: `${env}_MIN_DELAY`,
    }),
    maxDelay: setting({
      doc: `Longest of all waits after ${what}.`,
      kind: duration("10ms", day),
      ...(defaults.maxDelay ? { default: defaults.maxDelay } : {}),
      ...(defaults.maxDelayText ? { defaultText: defaults.maxDelayText } : {}),
      env: `${env}_MAX_DELAY`,
    }),
    factor: setting({
      doc: `How much longer each wait after ${what} may be than the one before.`,
      kind: number(1, 10),
      default: defaults.factor,
      env: `${env}_FACTOR`,
    }),
    // Details and transfers are given up: an acknowledge is asked until it is answered, a result is owed until it is accepted.
    ...(defaults.maxElapsed
      ? {
          maxElapsed: setting({
            doc: `How long after the first attempt ${what} is the last; \`none\`: never.`,
            kind: durationOrNone("10ms", day),
            default: defaults.maxElapsed,
            env: `${env}_MAX_ELAPSED`,
          }),
        }
      : {}),
  };
}
