// The second half of schema.ts: the keys of `ledger`, of `artifacts`, of one entry of `actionTypes` and of `handlers`.
import { duration, hiddenText, httpUrl, integer, list, number, oneOf, path, size, text, textMap } from "./formats.js";
import type { Section } from "./setting.js";
import { setting } from "./setting.js";
import { accountFormat, commandFormat, envNameFormat, regionListFormat, webhookSecret } from "./shapes.js";

/** The keys of `ledger`. */
export const ledgerSchema = {
  store: setting({
    doc: "Where jobs held and outcomes owed are written down: `sqlite` for one process, `dynamodb` for a fleet; `memory` forgets them when the process ends.",
    kind: oneOf(["memory", "sqlite", "dynamodb"]),
    default: "sqlite",
    env: "PARTNERD_LEDGER_STORE",
  }),
  path: setting({
    doc: "The ledger's database, for the store `sqlite`.",
    kind: path(),
    default: "./partnerd.db",
    env: "PARTNERD_LEDGER_PATH",
    isPath: true,
  }),
  table: setting({
    doc: "The ledger's table, for the store `dynamodb`; `partnerd ledger-table` prints its definition.",
    kind: text({ max: 255, form: /^[A-Za-z0-9_.-]{3,255}$/, says: "3 or more letters, digits and - _ ." }),
    default: "partnerd-ledger",
    env: "PARTNERD_LEDGER_TABLE",
  }),
  region: setting({
    doc: "The table's Region, for the store `dynamodb`.",
    kind: text({ max: 64, form: /^[a-z0-9-]+$/, says: "a Region such as us-east-1" }),
    env: "PARTNERD_LEDGER_REGION",
    defaultText: "the AWS SDK's own rules",
  }),
  endpoint: setting({
    doc: "Another DynamoDB endpoint, for the store `dynamodb`.",
    kind: httpUrl(),
    env: "PARTNERD_LEDGER_ENDPOINT",
  }),
  lease: setting({
    doc: "How long a process of the fleet may be silent before others take its jobs over, which they do within 5 s, for the store `dynamodb`; the same everywhere.",
    kind: duration("5s", "10m"),
    default: "30s",
    env: "PARTNERD_LEDGER_LEASE",
  }),
} satisfies Section;

/** The keys of `artifacts`. */
export const artifactsSchema = {
  workDir: setting({
    doc: "Folder for the private folders of running jobs, made if need be; others may not write to it, so name one below a volume.",
    kind: path(),
    env: "PARTNERD_ARTIFACTS_WORK_DIR",
    isPath: true,
    defaultText: "`partnerd` in the system's folder for temporary files",
  }),
  maxArchiveBytes: setting({
    doc: "Largest artifact that is taken, packed.",
    kind: size("1KiB", "1TiB"),
    default: "2GiB",
    env: "PARTNERD_ARTIFACTS_MAX_ARCHIVE_BYTES",
  }),
  maxExtractedBytes: setting({
    doc: "Largest artifact that is taken, unpacked.",
    kind: size("1KiB", "8TiB"),
    default: "8GiB",
    env: "PARTNERD_ARTIFACTS_MAX_EXTRACTED_BYTES",
  }),
  maxEntries: setting({
    doc: "Most files and folders in one artifact.",
    kind: integer(1, 10_000_000),
    default: 200_000,
    env: "PARTNERD_ARTIFACTS_MAX_ENTRIES",
  }),
  maxRatio: setting({
    doc: "Most bytes an artifact unpacks to for each byte of the whole archive, beyond the first `artifacts.maxRatioFrom`.",
    kind: number(1, 1_000_000),
    // Source code and logs reach 20, deflate ends at 1,032.
    default: 200,
    env: "PARTNERD_ARTIFACTS_MAX_RATIO",
  }),
  maxRatioFrom: setting({
    doc: "Unpacked bytes that `artifacts.maxRatio` does not count: a database dump or an empty disk image harms nobody.",
    kind: size("0B", "8TiB"),
    default: "100MiB",
    env: "PARTNERD_ARTIFACTS_MAX_RATIO_FROM",
  }),
  maxLinks: setting({
    doc: "Most symbolic links in one artifact.",
    // Their targets are held in memory.
    kind: integer(0, 200_000),
    default: 10_000,
    env: "PARTNERD_ARTIFACTS_MAX_LINKS",
  }),
  badLinks: setting({
    doc: "What becomes of an artifact's symbolic links that are absolute, lead out of it or go round in a circle: `refuse` fails the job, `skip` leaves them out, with a warning.",
    kind: oneOf(["refuse", "skip"]),
    default: "refuse",
    env: "PARTNERD_ARTIFACTS_BAD_LINKS",
  }),
  minFreeBytes: setting({
    doc: "While the disk of `artifacts.workDir` has less left, or less than a quarter of a smaller disk, no new job is taken; 0B: no check.",
    kind: size("0B", "8TiB"),
    // An ordinary artifact, packed and unpacked; more would keep small containers from ever working.
    default: "256MiB",
    env: "PARTNERD_ARTIFACTS_MIN_FREE_BYTES",
  }),
  endpoint: setting({
    doc: "Another S3, addressed path-style; unset, `aws.endpoint` when that is not AWS's own, else S3 in the job's Region.",
    kind: httpUrl(),
    env: "PARTNERD_ARTIFACTS_ENDPOINT",
  }),
  requestTimeout: setting({
    doc: "Longest wait for S3 to take one part of an upload (5 MiB), or to begin an answer.",
    kind: duration("1s", "1h"),
    default: "5m",
    env: "PARTNERD_ARTIFACTS_REQUEST_TIMEOUT",
  }),
} satisfies Section;

/** The keys of one entry of `actionTypes`. */
export const actionTypeSchema = {
  provider: setting({
    doc: "CodePipeline's provider.",
    kind: text({ max: 35, form: /^[0-9A-Za-z_-]+$/, says: "letters, digits, - and _ only" }),
    required: true,
  }),
  category: setting({
    doc: "CodePipeline's category.",
    kind: oneOf(["Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute"]),
    required: true,
  }),
  owner: setting({
    doc: "CodePipeline's owner.",
    kind: oneOf(["ThirdParty", "Custom"]),
    required: true,
  }),
  version: setting({
    doc: "CodePipeline's version, in quotes.",
    kind: text({ max: 9, form: /^[0-9A-Za-z_-]+$/, says: "letters, digits, - and _ only" }),
    required: true,
  }),
  handler: setting({ doc: "A name in `handlers`.", kind: text({ max: 64 }), required: true }),
  regions: setting({
    doc: "Regions in which this type is polled.",
    kind: regionListFormat,
    defaultText: "`regions`",
  }),
  maxConcurrentJobs: setting({
    doc: "Jobs of this entry worked at once, in all its Regions together, within `worker.maxConcurrentJobs`.",
    kind: integer(1, 10_000),
    defaultText: "`worker.maxConcurrentJobs`",
  }),
  jobTimeout: setting({
    doc: "Longest time for one job; then its handler is aborted and the job fails.",
    kind: duration("1s", "24h"),
    // CodePipeline gives third-party actions an hour by default: an end of our own has to come well before.
    default: "30m",
  }),
  afterCrash: setting({
    doc: "What happens to a job whose handler was running when the process died; `rerun` is for handlers that may run twice.",
    kind: oneOf(["fail", "rerun"]),
    default: "fail",
  }),
  queryParam: setting({
    doc: "The queryable property and its value, for Custom types that have one.",
    kind: textMap({
      key: text({ max: 50 }),
      value: text({ max: 50, form: /^[a-zA-Z0-9_-]+$/, says: "letters, digits, - and _ only" }),
      max: 1,
    }),
  }),
  secretProperties: setting({
    doc: "Configuration properties whose values are masked wherever they turn up, in addition to those that the action type marks as secret and those with a name such as `ApiKey` or `db_password`.",
    // An action type has at most 10 properties.
    kind: list(text({ max: 50 }), { name: "list of names", max: 10 }),
    default: [],
    defaultText: "none",
  }),
  notSecretProperties: setting({
    doc: "Properties that are shown although their names look secret or the action type marks them.",
    kind: list(text({ max: 50 }), { name: "list of names", max: 10 }),
    default: [],
    defaultText: "none",
  }),
} satisfies Section;

/** A rotation has two; the signatures of more than a few fill a header. */
const secretList = list(webhookSecret, { name: "list of texts", max: 5, isHidden: true });
/** The keys of `breaker` in one entry of `handlers`, of whatever kind. */
export const breakerSchema = {
  failures: setting({
    doc: "So many failures of the handler itself in a row (it cannot be loaded or started, its service refuses connections), and none of its jobs is taken until it works again.",
    kind: integer(1, 1_000),
    default: 5,
  }),
  window: setting({
    doc: "A failure counts for the row when it comes within this time of the one before; a job that ran for longer before it failed does not count.",
    kind: duration("1s", "1h"),
    default: "1m",
  }),
} satisfies Section;

/** The keys of one entry of `handlers` besides `kind`, by its kind. */
export const handlerSchemas = {
  module: {
    path: setting({
      doc: "An ES module that exports `handler` (or default).",
      kind: path(),
      required: true,
      isPath: true,
    }),
    isolation: setting({
      doc: "`thread`: in a thread of its own, whose end is not the daemon's; `none`: in the daemon's own, for modules that cannot load in a thread.",
      kind: oneOf(["thread", "none"]),
      default: "thread",
    }),
    maxMemory: setting({
      doc: "Most memory of the handler's thread; one that needs more is ended and its jobs fail. No meaning with `isolation: none`.",
      kind: size("32MiB", "1TiB"),
      default: "256MiB",
    }),
    breaker: breakerSchema,
  },
  command: {
    command: setting({
      doc: "Program and arguments; a program with a slash is relative to this file.",
      kind: commandFormat,
      required: true,
      isHandedOn: true,
    }),
    env: setting({
      doc: "Environment of the program, besides PATH, HOME, LANG, TZ and `PARTNERD_…`.",
      kind: textMap({ key: envNameFormat, value: hiddenText({ max: 32_768, form: /^[^\0]*$/ }), max: 100 }),
      default: new Map(),
      defaultText: "none",
      isHandedOn: true,
    }),
    user: setting({
      doc: "Whom the program runs as; the daemon must be root or may change its user.",
      kind: accountFormat,
      defaultText: "the daemon's",
    }),
    group: setting({
      doc: "Its group, for a `user`.",
      kind: accountFormat,
      defaultText: "the user's",
    }),
    breaker: breakerSchema,
  },
  http: {
    url: setting({ doc: "Where job documents are posted.", kind: httpUrl(), required: true }),
    secret: setting({
      doc: "`whsec_…`: signs each request by the Standard Webhooks scheme; `secretFile` names a file that holds it.",
      kind: webhookSecret,
      sensitive: true,
      hasFileForm: true,
    }),
    secrets: setting({
      doc: "More of them, for the time of a rotation: each signs every request, with spaces between the signatures.",
      kind: secretList,
      default: [],
      defaultText: "none",
      sensitive: true,
    }),
    secretFiles: setting({
      doc: "The same as names of files that hold one each.",
      kind: secretList,
      default: [],
      defaultText: "none",
      sensitive: true,
      isOfFiles: true,
    }),
    requestTimeout: setting({
      doc: "Longest wait for one answer; the job's deadline holds besides.",
      kind: duration("100ms", "24h"),
      default: "30s",
    }),
    breaker: breakerSchema,
  },
} satisfies Readonly<Record<string, Section>>;
