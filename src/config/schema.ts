// Every key of the configuration: one sentence, its format and limits, its default. With entry-schema.ts, its second
// half, the only place where a key stands: the type Config, the values, the variables, the checks between two keys,
// the JSON Schema and the table in README.md follow from the two.
import type { ClientToken } from "../job/job.js";
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
import { setting, withVariables } from "./setting.js";
import {
  accountsFormat,
  actionTypesFormat,
  clientIdFormat,
  handlersFormat,
  listenHostFormat,
  regionListFormat,
} from "./shapes.js";

/** Longest wait that makes sense anywhere: CodePipeline ends custom actions after a day. */
const day = "24h";

/** The keys of the configuration; those of `ledger`, `artifacts` and single entries are in entry-schema.ts. */
export const schema = withVariables({
  regions: setting("Regions in which action types are polled that name none of their own.", regionListFormat, {
    derived: "`AWS_REGION`, `AWS_DEFAULT_REGION`",
  }),
  allowUnknownRegions: setting("Accept Regions that this version has not heard of.", boolean(), { default: false }),
  accounts: setting(
    "The accounts whose pipelines are worked, by name. Absent: one, by the AWS SDK's ordinary chain, called `default`.",
    accountsFormat,
    { named: accountSchema },
  ),
  actionTypes: setting("The action types to work, a list.", actionTypesFormat, {
    required: true,
    each: actionTypeSchema,
  }),
  handlers: setting("The code that does the work, by name.", handlersFormat, { required: true, kinds: handlerSchemas }),
  clientTokens: {
    source: setting(
      "Where client tokens come from; needed for third-party action types.",
      oneOf(["static", "file"], ["http", "command", "module", "secrets-manager", "dynamodb"]),
      { default: "static", decides: "strictly" },
    ),
    path: setting(
      "The client token file, `{clientId: token}` as YAML or JSON, for the source `file`; it is re-read when it changes.",
      path(),
      { required: true, only: "file" },
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
  },
  worker: {
    maxConcurrentJobs: setting("Jobs worked at once, of all action types together.", integer(1, 10_000), {
      default: 50,
    }),
  },
  polling: {
    minInterval: setting("Rest between two polls while jobs come.", duration("50ms", "1h"), {
      default: "1s",
      atMost: "maxInterval",
    }),
    maxInterval: setting("Rest between two polls when there has been nothing for a while.", duration("50ms", "1h"), {
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
      "How long a stop goes on reporting outcomes before it leaves them in the ledger.",
      duration("0s", "1h"),
      { default: "20s" },
    ),
  },
  admin: {
    host: setting("Address of the admin port; anything but loopback needs `admin.token`.", listenHostFormat, {
      default: "127.0.0.1",
    }),
    port: setting("Port for probes, metrics, status and callbacks; 0: off.", integer(0, 65_535), { default: 9464 }),
    token: setting(
      "Bearer token of the control routes and, where other machines reach the port, of the status page; `admin.tokenFile` or `PARTNERD_ADMIN_TOKEN_FILE` name a file that holds it.",
      secret(hiddenText({ min: 16, max: 512, form: /^[A-Za-z0-9._~+/=-]+$/, says: "a bearer token" })),
    ),
    publicUrl: setting("Base of the callback URLs that http handlers are given.", httpUrl({ isBase: true }), {
      unset: "`http://HOST:PORT`",
    }),
  },
  systemd: {
    readyWait: setting(
      "Under systemd: how long the first good poll is waited for; then the unit counts as started all the same.",
      duration("0s", "1h"),
      { default: "30s" },
    ),
  },
  log: {
    level: setting("The least important log lines that are written.", oneOf(["debug", "info", "warn", "error"]), {
      default: "info",
    }),
    format: setting("`json` for machines, `pretty` for people.", oneOf(["json", "pretty"]), { default: "json" }),
  },
  aws: {
    endpoint: setting(
      "Another CodePipeline endpoint, such as the emulator's; unset, the AWS SDK's own variables and rules decide.",
      httpUrl(),
    ),
    appId: setting(
      "Names this worker in the user agent of its calls.",
      text({ max: 50, form: /^[A-Za-z0-9!$%&'*+.^_`|~#-]+$/, says: "letters, digits and - _ . without spaces" }),
      { default: "partnerd" },
    ),
    connectionTimeout: setting("Longest wait for a connection to AWS.", duration("100ms", "5m"), {
      default: "3s",
      uselessOver: "requestTimeout",
    }),
    socketTimeout: setting("Longest silence on a connection to AWS.", duration("100ms", "5m"), {
      default: "10s",
      uselessOver: "requestTimeout",
    }),
    requestTimeout: setting("Longest wait for one answer of AWS.", duration("100ms", "5m"), { default: "15s" }),
  },
  retry: {
    poll: policy("a failed poll", { minDelay: "1s", maxDelay: { derived: "`polling.maxInterval`" }, factor: 4 }),
    throttledPoll: policy("a throttled poll", { minDelay: "2s", maxDelay: { default: "30s" }, factor: 3 }),
    // Details and transfers are given up: an acknowledge is asked until it is answered, a result is owed until it is accepted.
    details: {
      ...policy("a failed request for a job's details", { minDelay: "200ms", maxDelay: { default: "5s" }, factor: 2 }),
      maxElapsed: lastAttempt("a failed request for a job's details", "30s"),
    },
    acknowledge: policy("a failed acknowledge", { minDelay: "200ms", maxDelay: { default: "10s" }, factor: 2 }),
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
      "How long a client is left alone after CodePipeline refused its token.",
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
    minDelay: setting(`Longest first wait after ${what}.`, duration("10ms", day), {
      default: given.minDelay,
      atMost: "maxDelay",
    }),
    maxDelay: setting(`Longest of all waits after ${what}.`, duration("10ms", day), given.maxDelay),
    factor: setting(`How much longer each wait after ${what} may be than the one before.`, number(1, 10), {
      default: given.factor,
    }),
  };
}

/** When a retry gives up. */
function lastAttempt(what: string, elapsed: string) {
  const doc = `How long after the first attempt ${what} is the last; \`none\`: never.`;
  return setting(doc, durationOrNone("10ms", day), { default: elapsed });
}
