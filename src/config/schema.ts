// Every key of the configuration: one sentence, its format and limits, its default. With entry-schema.ts, its second
// half, the only place where a key stands: the type Config, the values, the variables, the checks between two keys,
// the JSON Schema and the table in docs/configuration.md follow from the two.
import type { ClientToken } from "../job/job.js";
import { adminSchema } from "./admin-schema.js";
import { accountSchema, actionTypeSchema, artifactsSchema, handlerSchemas, ledgerSchema } from "./entry-schema.js";
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
  secret,
  text,
  textMap,
} from "./formats.js";
import { onlyFor, setting, withVariables } from "./setting.js";
import {
  accountsFormat,
  actionTypesFormat,
  clientIdFormat,
  clientUrlFormat,
  handlersFormat,
  regionFormat,
  regionListFormat,
  tableFormat,
  tokenCommandFormat,
} from "./shapes.js";

/** Sources outside of this process; they have a cache. */
const remoteSources = ["http", "command", "module", "secrets-manager", "dynamodb"] as const;

/** Longest wait that makes sense anywhere: CodePipeline ends custom actions after a day. */
const day = "24h";

/** The keys of the configuration; those of `ledger`, `artifacts` and single entries are in entry-schema.ts. */
export const schema = withVariables({
  regions: setting("Regions to poll, for action types that do not name their own.", regionListFormat, {
    derived: "`AWS_REGION`, `AWS_DEFAULT_REGION`",
  }),
  allowUnknownRegions: setting("Accept Regions that this version does not know.", boolean(), { default: false }),
  accounts: setting(
    "AWS accounts to poll, by name. Absent: one account, `default`, with the AWS SDK's default credential chain.",
    accountsFormat,
    { named: accountSchema },
  ),
  actionTypes: setting("The action types to poll, as a list.", actionTypesFormat, {
    required: true,
    each: actionTypeSchema,
  }),
  handlers: setting("The handlers that run the jobs, by name.", handlersFormat, {
    required: true,
    kinds: handlerSchemas,
  }),
  clientTokens: {
    source: setting(
      "Where client tokens come from; needed for third-party action types. docs/client-tokens.md describes each source.",
      oneOf(["static", "file", ...remoteSources]),
      { default: "static", decides: "strictly" },
    ),
    path: setting(
      "For the source `file`, the client token file: `{clientId: token}` as YAML or JSON, re-read when it changes; for `module`, an ES module that exports `resolve(clientId, { signal })`.",
      path(),
      { required: true, only: ["file", "module"] },
    ),
    tokens: setting(
      "Tokens by client id, for the source `static`.",
      textMap({
        key: clientIdFormat,
        value: secret<ClientToken>(hiddenText({ min: 1, max: 256 })),
        max: 10_000,
      }),
      { default: new Map(), only: "static" },
    ),
    url: setting(
      'For the source `http`: the URL of a client\'s token, with `{clientId}` in it. It answers 200 with `{"token": "…"}`, or 404.',
      clientUrlFormat,
      { required: true, only: "http" },
    ),
    token: setting(
      "Bearer token for the source `http`; `clientTokens.tokenFile` names a file that holds it.",
      secret(hiddenText({ min: 1, max: 4_096, form: /^[\x21-\x7e]+$/, says: "a bearer token" })),
      { only: "http" },
    ),
    command: setting(
      "For the source `command`: program and arguments; the client id is appended. It prints the token, or exits with 3 for an unknown client.",
      tokenCommandFormat,
      { required: true, only: "command", isHandedOn: true },
    ),
    secretId: setting(
      "For the source `secrets-manager`: name or ARN of each client's secret, with `{clientId}` in it; or of one secret that holds a JSON map of all clients.",
      text({
        max: 2_048,
        form: /^(?:[A-Za-z0-9/_+=.@:-]|\{clientId\})+$/,
        says: "the name or ARN of a secret, such as partnerd/{clientId}",
      }),
      { required: true, only: "secrets-manager" },
    ),
    table: setting("For the source `dynamodb`: the table with one item for each client.", tableFormat, {
      required: true,
      only: "dynamodb",
    }),
    key: setting("The table's partition key, a String, for the source `dynamodb`.", text({ max: 255 }), {
      default: "clientId",
      only: "dynamodb",
    }),
    attribute: setting("The attribute with the token, a String, for the source `dynamodb`.", text({ max: 255 }), {
      default: "token",
      only: "dynamodb",
    }),
    region: setting(
      "Region of the secret or the table, for the sources `secrets-manager` and `dynamodb`.",
      regionFormat,
      { unset: "the AWS SDK's own rules", only: ["secrets-manager", "dynamodb"] },
    ),
    cache: {
      [onlyFor]: remoteSources,
      maxAge: setting(
        "A token that is older is looked up again; it stays in use while the source does not answer.",
        duration("1s", day),
        { default: "5m" },
      ),
      unknownMaxAge: setting(
        "How long a client counts as unknown while the source does not answer; while it does, a new job of such a client looks the token up again after a quarter of this.",
        duration("100ms", "1h"),
        { default: "10s" },
      ),
      maxEntries: setting("Maximum number of clients whose tokens are cached.", integer(1, 1_000_000), {
        default: 10_000,
      }),
    },
  },
  worker: {
    maxConcurrentJobs: setting("Maximum number of jobs that run at once, over all action types.", integer(1, 10_000), {
      default: 50,
    }),
    maxConcurrentJobsPerClient: setting(
      "Maximum number of jobs of one customer that run at once, over all action types. A customer is a client id, or the AWS account of a custom job. Each replica of a fleet counts separately.",
      integer(1, 10_000),
      { unset: "no cap" },
    ),
  },
  polling: {
    minInterval: setting("Interval between polls while jobs arrive.", duration("50ms", "1h"), {
      default: "1s",
      atMost: "maxInterval",
    }),
    maxInterval: setting("Interval between polls when no job has arrived for a while.", duration("50ms", "1h"), {
      default: "15s",
    }),
  },
  ledger: ledgerSchema,
  artifacts: artifactsSchema,
  shutdown: {
    drainTimeout: setting(
      "How long a stop waits for running jobs before it aborts their handlers.",
      duration("0s", day),
      { default: "25s" },
    ),
    cancelGrace: setting(
      "How long an aborted handler may take to end before it is killed or abandoned.",
      duration("0s", "10m"),
      { default: "5s" },
    ),
    reportTimeout: setting(
      "How long a stop continues to report outcomes before it leaves them in the ledger.",
      duration("0s", "1h"),
      { default: "20s" },
    ),
  },
  admin: adminSchema,
  systemd: {
    readyWait: setting(
      "Under systemd: how long to wait for the first successful poll; after that the unit counts as started anyway.",
      duration("0s", "1h"),
      { default: "30s" },
    ),
  },
  log: {
    level: setting("Lowest level of log lines to write.", oneOf(["debug", "info", "warn", "error"]), {
      default: "info",
    }),
    format: setting("`json` for machines, `pretty` for people.", oneOf(["json", "pretty"]), { default: "json" }),
  },
  aws: {
    endpoint: setting(
      "Another CodePipeline endpoint, such as the emulator's. Unset: as the AWS SDK's own variables and rules say.",
      httpUrl(),
    ),
    appId: setting(
      "Identifies this worker in the user agent of its calls.",
      text({ max: 50, form: /^[A-Za-z0-9!$%&'*+.^_`|~#-]+$/, says: "letters, digits and - _ . without spaces" }),
      { default: "partnerd" },
    ),
    connectionTimeout: setting("Timeout for opening a connection to AWS.", duration("100ms", "5m"), {
      default: "3s",
      uselessOver: "requestTimeout",
    }),
    socketTimeout: setting("Timeout for a connection to AWS on which no data arrives.", duration("100ms", "5m"), {
      default: "10s",
      uselessOver: "requestTimeout",
    }),
    requestTimeout: setting("Timeout for one response from AWS.", duration("100ms", "5m"), { default: "15s" }),
  },
  retry: {
    poll: policy("a failed poll", { minDelay: "1s", maxDelay: { derived: "`polling.maxInterval`" }, factor: 4 }),
    throttledPoll: policy("a throttled poll", { minDelay: "2s", maxDelay: { default: "30s" }, factor: 3 }),
    // Details and transfers are given up. An acknowledgement is repeated until it is answered, and a result is owed until
    // it is accepted.
    details: {
      ...policy("a failed request for a job's details", { minDelay: "200ms", maxDelay: { default: "5s" }, factor: 2 }),
      maxElapsed: lastAttempt("a failed request for a job's details", "30s"),
    },
    acknowledge: policy("a failed acknowledgement", { minDelay: "200ms", maxDelay: { default: "10s" }, factor: 2 }),
    report: policy("a failed report", { minDelay: "500ms", maxDelay: { default: "30s" }, factor: 2 }),
    handler: policy("a failed call of an http handler", {
      minDelay: "500ms",
      maxDelay: { default: "30s" },
      factor: 2,
    }),
    artifact: {
      ...policy("a failed transfer of an artifact", { minDelay: "200ms", maxDelay: { default: "10s" }, factor: 2 }),
      maxElapsed: lastAttempt("a failed transfer of an artifact", "2m"),
    },
    clientCooldown: setting(
      "How long no job of a client is accepted after CodePipeline rejected its client token.",
      duration("0s", day),
      { default: "60s" },
    ),
  },
});

/** A retry policy's keys; std/retry.ts says how waits are drawn from them. */
function policy(
  what: string,
  given: { minDelay: string; maxDelay: { default: string } | { derived: string }; factor: number },
) {
  return {
    minDelay: setting(`Initial backoff after ${what}; each wait is random, up to the backoff.`, duration("10ms", day), {
      default: given.minDelay,
      atMost: "maxDelay",
    }),
    maxDelay: setting(`Maximum backoff after ${what}.`, duration("10ms", day), given.maxDelay),
    factor: setting(`Backoff multiplier after ${what}.`, number(1, 10), {
      default: given.factor,
    }),
  };
}

/** When a retry gives up. */
function lastAttempt(what: string, elapsed: string) {
  const doc = `Time limit of retries after ${what}, from the first attempt on; \`none\`: no limit.`;
  return setting(doc, durationOrNone("10ms", day), { default: elapsed });
}
