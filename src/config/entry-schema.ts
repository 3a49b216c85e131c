// The second half of schema.ts: the keys of `ledger`, of `artifacts`, of one entry of `actionTypes` and of `handlers`.
import { duration, hiddenText, httpUrl, integer, list, number, oneOf, path, size, text, textMap } from "./formats.js";
import { setting } from "./setting.js";
import {
  accountFormat,
  accountListFormat,
  commandFormat,
  envNameFormat,
  queryParamFormat,
  queryParamsFormat,
  regionFormat,
  regionListFormat,
  tableFormat,
  webhookSecret,
} from "./shapes.js";

/** The keys of `ledger`. */
export const ledgerSchema = {
  store: setting(
    "Where unfinished jobs and unreported outcomes are recorded: `sqlite` for one process, `dynamodb` for a fleet; `memory` forgets them when the process ends.",
    oneOf(["memory", "sqlite", "dynamodb"]),
    { default: "sqlite", decides: "leniently" },
  ),
  path: setting("The ledger's database, for the store `sqlite`.", path(), {
    default: "./partnerd.db",
    only: "sqlite",
  }),
  table: setting(
    "The ledger's table, for the store `dynamodb`; `partnerd ledger-table` prints its definition.",
    tableFormat,
    { default: "partnerd-ledger", only: "dynamodb" },
  ),
  region: setting("The table's Region, for the store `dynamodb`.", regionFormat, {
    unset: "the AWS SDK's own rules",
    only: "dynamodb",
  }),
  endpoint: setting("Another DynamoDB endpoint, for the store `dynamodb`.", httpUrl(), { only: "dynamodb" }),
  lease: setting(
    "For the store `dynamodb`: how long a process of the fleet may be silent before others take over its jobs, within 5 s. Use the same value in every process.",
    duration("5s", "10m"),
    { default: "30s", only: "dynamodb" },
  ),
  history: {
    maxJobs: setting(
      "How many ended jobs the ledger remembers for `/history`, `/jobs/ID` and `partnerd jobs --ended`; 0: none. The store `memory` remembers at most 1,000, and forgets them with the process; `dynamodb` keeps rows for `ledger.history.maxAge` and shows this many.",
      // A search looks at 20,000 rows in some 100 ms.
      integer(0, 1_000_000),
      { default: 20_000 },
    ),
    maxAge: setting("How long the ledger remembers an ended job.", duration("1h", "8760h"), { default: "168h" }),
  },
};

/** The keys of `artifacts`. */
export const artifactsSchema = {
  workDir: setting(
    "Folder in which each running job gets a private folder; created if it is missing. Other users must not be able to write to it: name a folder below a volume, not the volume itself.",
    path(),
    { derived: "`partnerd` in the system's folder for temporary files" },
  ),
  maxArchiveBytes: setting("Maximum size of an artifact, packed.", size("1KiB", "1TiB"), { default: "2GiB" }),
  maxExtractedBytes: setting("Maximum size of an artifact, unpacked.", size("1KiB", "8TiB"), { default: "8GiB" }),
  maxEntries: setting("Maximum number of files and folders in one artifact.", integer(1, 10_000_000), {
    default: 200_000,
  }),
  maxRatio: setting(
    "Maximum ratio of an artifact's unpacked bytes to the size of its archive, once it has unpacked to more than `artifacts.maxRatioFrom`.",
    number(1, 1_000_000),
    // Source code and logs reach 20, deflate ends at 1,032.
    { default: 200 },
  ),
  maxRatioFrom: setting(
    "Unpacked size from which `artifacts.maxRatio` applies: a small database dump or an empty disk image is harmless at any ratio.",
    size("0B", "8TiB"),
    { default: "100MiB" },
  ),
  // Their targets are held in memory.
  maxLinks: setting("Maximum number of symbolic links in one artifact.", integer(0, 200_000), { default: 10_000 }),
  badLinks: setting(
    "What happens to an artifact's symbolic links that are absolute, lead out of it or form a circle: `refuse` fails the job, `skip` leaves them out, with a warning.",
    oneOf(["refuse", "skip"]),
    { default: "refuse" },
  ),
  minFreeBytes: setting(
    "While the disk of `artifacts.workDir` has less free space (on a small disk: less than a quarter of it), no new job is accepted; 0B: no check.",
    size("0B", "8TiB"),
    // An ordinary artifact, packed and unpacked; more would keep small containers from ever working.
    { default: "256MiB" },
  ),
  endpoint: setting(
    "Another S3 endpoint, addressed path-style. Unset: `aws.endpoint` if that is not AWS's own, else S3 in the job's Region.",
    httpUrl(),
  ),
  requestTimeout: setting(
    "Timeout for S3 to accept one part of an upload (5 MiB), or to begin a response.",
    duration("1s", "1h"),
    { default: "5m" },
  ),
};

/** The form of an action type's provider and version. */
const idForm = { form: /^[0-9A-Za-z_-]+$/, says: "letters, digits, - and _ only" };

/** An action type has at most 10 properties. */
const propertyNames = list(text({ max: 50 }), { name: "list of names", max: 10 });

/** The keys of one entry of `actionTypes`. */
export const actionTypeSchema = {
  provider: setting("The provider of the action type.", text({ max: 35, ...idForm }), { required: true }),
  category: setting(
    "The category of the action type.",
    oneOf(["Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute"]),
    { required: true },
  ),
  owner: setting("The owner of the action type.", oneOf(["ThirdParty", "Custom"]), { required: true }),
  version: setting("The version of the action type, in quotes.", text({ max: 9, ...idForm }), { required: true }),
  handler: setting("The handler that runs its jobs: a name in `handlers`.", text({ max: 64 }), { required: true }),
  regions: setting("Regions in which to poll this action type.", regionListFormat, { derived: "`regions`" }),
  accounts: setting("Accounts in which to poll this action type, by their names in `accounts`.", accountListFormat, {
    unset: "every account",
  }),
  maxConcurrentJobs: setting(
    "Maximum number of jobs of this entry that run at once, over all its pollers, within `worker.maxConcurrentJobs`.",
    integer(1, 10_000),
    { derived: "`worker.maxConcurrentJobs`", uselessOver: "worker.maxConcurrentJobs" },
  ),
  maxConcurrentJobsPerClient: setting(
    "Maximum number of jobs of this entry that run at once for one customer, within `worker.maxConcurrentJobsPerClient`; further jobs wait at CodePipeline.",
    integer(1, 10_000),
    { unset: "`worker.maxConcurrentJobsPerClient`", uselessOver: "worker.maxConcurrentJobsPerClient" },
  ),
  serialBy: setting(
    "One job of this entry at a time for each value: `client`, or `configuration.NAME` for a property of the action's configuration. Jobs without that property do not wait for each other.",
    text({ max: 64, form: /^(?:client|configuration\..{1,50})$/, says: "client or configuration.NAME" }),
  ),
  weight: setting(
    "Share of the slots while all are in use: an entry with weight 2 gets twice as many as one with weight 1.",
    // A hundredth is one slot of a hundred; more apart is a limit, and `maxConcurrentJobs` says that better.
    number(0.1, 100),
    { default: 1 },
  ),
  jobTimeout: setting(
    "Time limit of one job; then its handler is aborted and the job fails.",
    duration("1s", "24h"),
    // CodePipeline gives third-party actions an hour by default: an end of our own has to come well before.
    { default: "30m" },
  ),
  afterCrash: setting(
    "What happens to a job whose handler was running when the process died; `rerun` is for handlers that may run twice.",
    oneOf(["fail", "rerun"]),
    { default: "fail" },
  ),
  queryParam: setting("The queryable property and its value, for Custom types that have one.", queryParamFormat),
  queryParams: setting(
    "Several values of the queryable property, `[{ Project: shop }, { Project: blog }]`: each gets its own poller.",
    queryParamsFormat,
  ),
  secretProperties: setting(
    "Configuration properties whose values are masked wherever they appear, in addition to those that the action type marks as secret and those with a name such as `ApiKey` or `db_password`.",
    propertyNames,
    { default: [] },
  ),
  notSecretProperties: setting(
    "Properties that are not masked, although their names look secret or the action type marks them as secret.",
    propertyNames,
    { default: [] },
  ),
};

/** The keys of one entry of `accounts`. Without any: the SDK's default credential chain. */
export const accountSchema = {
  roleArn: setting(
    "The role to assume, with credentials from the SDK's default chain.",
    text({
      max: 2_048,
      form: /^arn:aws[a-z-]{0,20}:iam::\d{12}:role\/[\w+=,.@/-]{1,1024}$/,
      says: "arn:aws:iam::111111111111:role/partnerd",
    }),
  ),
  externalId: setting(
    "The external id that the role's trust policy requires (`sts:ExternalId`).",
    text({ max: 1_224, form: /^[\w+=,.@:/-]{2,1224}$/, says: "2 or more letters, digits and _ + = , . @ : / -" }),
    { needs: "roleArn" },
  ),
  sessionName: setting(
    "Session name of the assumed role, as CloudTrail shows it.",
    text({ max: 64, form: /^[\w+=,.@-]{2,64}$/, says: "2 to 64 letters, digits and _ + = , . @ -" }),
    { unset: "`partnerd`", needs: "roleArn" },
  ),
  profile: setting(
    "A profile of the AWS configuration files, instead of a role.",
    text({ max: 128, form: /^[^\0\r\n[\]]+$/, says: "a profile's name" }),
  ),
};

/** A rotation has two; the signatures of more than a few fill a header. */
const secretList = list(webhookSecret, { name: "list of strings", max: 5 });

/** The keys of `breaker` in one entry of `handlers`, of whatever kind. */
export const breakerSchema = {
  failures: setting(
    "After this many consecutive failures of the handler itself (it cannot be loaded or started, its service refuses connections), none of its jobs is accepted until it works again.",
    integer(1, 1_000),
    { default: 5 },
  ),
  window: setting(
    "Failures count as consecutive if each comes within this time of the one before. The failure of a job that ran for longer does not count.",
    duration("1s", "1h"),
    { default: "1m" },
  ),
};

/** The key that says which others an entry of `handlers` has. */
function kind<K extends string>(word: K) {
  return setting("What kind of handler it is.", oneOf([word]), { required: true, decides: "strictly" });
}

/** The keys of one entry of `handlers`, by its kind. */
export const handlerSchemas = {
  module: {
    kind: kind("module"),
    path: setting("An ES module that exports `handler` (or default).", path(), { required: true }),
    isolation: setting(
      "`thread`: runs in a worker thread of its own, which can crash without ending the daemon; `none`: in the daemon's own thread, for modules that cannot load in a worker thread.",
      oneOf(["thread", "none"]),
      { default: "thread" },
    ),
    maxMemory: setting(
      "Maximum memory of the handler's thread. A thread that needs more is ended, and its jobs fail. No effect with `isolation: none`.",
      size("32MiB", "1TiB"),
      { default: "256MiB" },
    ),
    breaker: breakerSchema,
  },
  command: {
    kind: kind("command"),
    command: setting("Program and arguments; a program with a slash is relative to this file.", commandFormat, {
      required: true,
      isHandedOn: true,
    }),
    env: setting(
      "Environment variables of the program, in addition to PATH, HOME, LANG, TZ and `PARTNERD_…`.",
      textMap({ key: envNameFormat, value: hiddenText({ max: 32_768, form: /^[^\0]*$/ }), max: 100 }),
      { default: new Map(), isHandedOn: true },
    ),
    user: setting(
      "User that the program runs as; the daemon must be root or be allowed to change its user.",
      accountFormat,
      {
        unset: "the daemon's",
      },
    ),
    group: setting("Group that the program runs as; only with `user`.", accountFormat, {
      unset: "the user's",
      needs: "user",
    }),
    breaker: breakerSchema,
  },
  http: {
    kind: kind("http"),
    url: setting("Where job documents are posted.", httpUrl(), { required: true }),
    secret: setting(
      "`whsec_…`: signs each request by the Standard Webhooks scheme; `secretFile` names a file that holds it.",
      webhookSecret,
    ),
    secrets: setting(
      "Additional secrets, during a rotation: every request carries one signature for each, separated by spaces.",
      secretList,
    ),
    secretFiles: setting("The same, as files that hold one secret each.", secretList, { filesOf: "secrets" }),
    requestTimeout: setting("Timeout for one response; the job's deadline applies as well.", duration("100ms", "24h"), {
      default: "30s",
    }),
    breaker: breakerSchema,
  },
};
