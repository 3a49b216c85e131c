// What must hold between settings: the rules that no single value can break. Each finding names the line to change.
// Rules of two keys that stand side by side are in the schema itself, as `atMost` and `uselessOver`.
import { leastLeaseMs } from "../job/lease.js";
import { hostOf, isLoopback } from "../std/addresses.js";
import { mistakesOfProxies } from "../std/proxies.js";
import { knownRegions } from "../std/regions.js";
import { nearest } from "../std/suggest.js";
import { formatDuration } from "../std/units.js";
import { accountNamesOf, checkAccounts } from "./account-rules.js";
import { checkAwsVariables } from "./aws-variables.js";
import type { Draft } from "./config.js";
import type { Environment } from "./environment.js";
import { meaningOf } from "./formats.js";
import type { Findings } from "./mistakes.js";
import { quote } from "./mistakes.js";
import { schema } from "./schema.js";
import { checkServices } from "./service-rules.js";
import { besideKey, fileFormOf, isFor, lastKey, settingsOf } from "./setting.js";
import type { Settings } from "./settings.js";

type ActionType = Draft["actionTypes"][number];

/** All that the rules look at. */
export interface Checked {
  /** Of what was missing or wrong it has the default, or nothing: `settings` knows what can be relied upon. */
  readonly draft: Draft;
  readonly settings: Settings;
  readonly findings: Findings;
  readonly environment: Environment;
}

/** Adds to the findings whatever breaks a rule. */
export function checkRules(checked: Checked): void {
  checkOrder(checked);
  checkAdmin(checked);
  checkChoices(checked);
  checkClientTokens(checked);
  checkLease(checked);
  checkRegions(checked);
  checkDuplicates(checked);
  checkAccounts({ ...checked, types: actionTypesOf(checked) });
  for (const [path, type] of actionTypesOf(checked)) checkActionType(path, type, checked);
  checkHandlers(checked);
  checkCommands(checked);
  checkAwsVariables(checked.environment, checked.findings);
  checkProxies(checked);
  checkServices(checked);
}

/** With such a value no connection would succeed. */
function checkProxies({ environment, findings }: Checked): void {
  for (const { variable, what, remedy } of mistakesOfProxies(environment)) {
    findings.mistake({ kind: "environment", name: variable, directory: "" }, what, remedy);
  }
}

/** The action types that could be looked at, by the prefixes of their settings. */
function actionTypesOf({ draft, settings }: Checked): readonly (readonly [string, ActionType])[] {
  const paths = settings.entries("actionTypes").map(({ path }) => path);
  return draft.actionTypes.map((type, index) => [paths[index] ?? "", type]);
}

/** Two keys side by side of which one limits the other. */
function checkOrder({ settings, findings }: Checked): void {
  for (const [path, { kind, atMost, uselessOver }] of settingsOf(schema)) {
    const limit = atMost ?? uselessOver;
    if (limit === undefined) continue;
    const [low, high] = [path, besideKey(path, limit)];
    if (!settings.isSound(low, high)) continue;
    const [value, most] = [low, high].map((each) => Number(meaningOf(kind, settings.get(each))));
    if (value === undefined || most === undefined || value <= most) continue;
    if (atMost === undefined) {
      const what = `${low} is longer than ${high} and has no effect`;
      findings.warn(settings.place(settings.isGiven(low) ? low : high), what, "lower it");
    } else {
      const what = `${low} (${settings.get(low)}) is longer than ${high} (${settings.get(high)})`;
      const remedy = settings.isGiven(high) ? `raise ${high}` : `lower ${low}, or raise ${high}`;
      findings.mistake(settings.place(settings.isGiven(high) ? high : low), what, remedy);
    }
  }
}

function checkAdmin({ draft: { admin }, settings, findings }: Checked): void {
  if (!settings.isSound("admin.host", "admin.token") || admin.token !== undefined) return;
  if (!isLoopback(admin.host)) {
    if (!settings.isSound("admin.port") || admin.port === 0) return;
    const what = `admin.host ${admin.host} opens the admin port to other machines, and admin.token is not set`;
    findings.mistake(settings.place("admin.host"), what, "set admin.token, or use 127.0.0.1");
    return;
  }
  // Whoever leads services elsewhere to a port on loopback has a proxy here, and all that it lets through looks local.
  if (admin.publicUrl === undefined || !settings.isSound("admin.publicUrl")) return;
  if (isLoopback(hostOf(admin.publicUrl))) return;
  const what =
    "admin.publicUrl leads other machines here, and admin.token is not set: whoever the proxy lets through can see and end jobs";
  const remedy = "set admin.token, or let the proxy forward only POST /jobs/ID/outcome";
  findings.warn(settings.place("admin.publicUrl"), what, remedy);
}

/** Keys that apply only to another choice than the configured one: probably that choice was meant. */
function checkChoices({ settings, findings }: Checked): void {
  let deciding = "";
  let isMistake = false;
  for (const [name, setting] of settingsOf(schema)) {
    const { decides, only } = setting;
    if (decides) [deciding, isMistake] = [name, decides === "strictly"];
    if (only === undefined || !settings.isSound(deciding) || !settings.isGiven(name)) continue;
    const [word, value] = [settings.get(deciding), settings.get(name)];
    if (isFor(setting, word) || (value instanceof Map && value.size === 0)) continue;
    // As `print-config` writes it.
    if (isMistake && value === setting.default) continue;
    const place = settings.place(name);
    // If a variable or flag changes the choice, the file may keep the keys of its own choice.
    if (place.kind === "file" && !["file", "default"].includes(settings.place(deciding).kind)) continue;
    const key = lastKey(deciding);
    const what = `${name} has no effect with ${key}: ${word}`;
    const remedy = `write ${key}: ${[only].flat().join(" or ")}, or remove it`;
    if (isMistake) findings.mistake(place, what, remedy);
    else findings.warn(place, what, remedy);
  }
}

/** What each source cannot do without, and how it is written. */
const sourceNeeds: Readonly<Record<Draft["clientTokens"]["source"], readonly [key: string, remedy: string]>> = {
  static: ["tokens", "write tokens: {CLIENT-ID: TOKEN}"],
  file: ["path", "name the client token file"],
  http: ["url", 'write url: "http://127.0.0.1:9000/tokens/{clientId}"'],
  command: ["command", "write command: [./token.sh]"],
  module: ["path", "name the module"],
  "secrets-manager": ["secretId", 'write secretId: "partnerd/{clientId}"'],
  dynamodb: ["table", "name the table"],
};

function checkClientTokens({ draft: { clientTokens, actionTypes }, settings, findings }: Checked): void {
  const [key, remedy] = sourceNeeds[clientTokens.source];
  const [source, wanted] = ["clientTokens.source", `clientTokens.${key}`];
  if (!settings.isSound(source, wanted)) return;
  if (settings.isGiven(source) && !settings.isGiven(wanted)) {
    findings.mistake(
      settings.place(source),
      `${wanted} is missing, and source: ${clientTokens.source} needs it`,
      remedy,
    );
    return;
  }
  const thirdParty = actionTypes.findIndex(({ owner }) => owner === "ThirdParty");
  // A path without a source is reported already.
  if (thirdParty < 0 || clientTokens.source !== "static" || settings.isGiven("clientTokens.path")) return;
  if (Object.keys(clientTokens.tokens).length > 0) return;
  const place = settings.place(`${settings.entries("actionTypes")[thirdParty]?.path}.owner`);
  const what = "third-party action types need client tokens, and there are none";
  findings.mistake(place, what, "add clientTokens: {source: file, path: …}");
}

/** Handlers are stopped early enough to end before the lease expires: the rest must be enough time to work. */
function checkLease({ draft: { ledger, shutdown }, settings, findings }: Checked): void {
  const [lease, grace] = ["ledger.lease", "shutdown.cancelGrace"];
  if (ledger.store !== "dynamodb" || !settings.isSound("ledger.store", lease, grace)) return;
  const leastMs = leastLeaseMs(shutdown.cancelGraceMs);
  if (ledger.leaseMs >= leastMs) return;
  const what = `${lease} (${settings.get(lease)}) is too short for ${grace} (${settings.get(grace)})`;
  const isAllowed = schema.ledger.lease.kind.problems(formatDuration(leastMs)).length === 0;
  const raise = isAllowed ? `write lease: ${formatDuration(leastMs)} or more, or ` : "";
  findings.mistake(settings.place(settings.isGiven(lease) ? lease : grace), what, `${raise}lower ${grace}`);
}

/** Regions that do not exist, and action types that have none. */
function checkRegions(checked: Checked): void {
  const { draft, settings, findings, environment } = checked;
  const types = actionTypesOf(checked);
  for (const [path, { regions }] of types) {
    if (!settings.isSound(`${path}.regions`, "regions") || regions.length > 0) continue;
    const place = settings.place(settings.isGiven(`${path}.regions`) ? `${path}.regions` : `${path}.provider`);
    findings.mistake(place, `${path} has no Region`, "set regions, at the top level or here");
  }
  // An endpoint of one's own, such as the emulator's, knows whatever Region it likes.
  const endpoints = [environment["AWS_ENDPOINT_URL_CODEPIPELINE"], environment["AWS_ENDPOINT_URL"], draft.aws.endpoint];
  if (draft.allowUnknownRegions || endpoints.some(Boolean)) return;
  const lists = types.map(([path, { regions }]) => [`${path}.regions`, regions] as const);
  for (const [path, regions] of [["regions", draft.regions] as const, ...lists]) {
    for (const [index, region] of settings.isGiven(path) ? regions.entries() : []) {
      if (knownRegions.includes(region)) continue;
      const near = nearest(region, knownRegions);
      const remedy = `${near ? `did you mean "${near}"? ` : ""}A new Region needs allowUnknownRegions: true`;
      findings.mistake(
        settings.place(path, index),
        `${path}[${index}] is ${quote(region)}, not a known Region`,
        remedy,
      );
    }
  }
}

/** Two loops that poll the same jobs would take them from each other. */
function checkDuplicates(checked: Checked): void {
  const { draft, settings, findings } = checked;
  const seen = new Map<string, string>();
  for (const [path, type] of actionTypesOf(checked)) {
    if (!["category", "owner", "provider", "version"].every((key) => settings.isGiven(`${path}.${key}`))) continue;
    const places = accountNamesOf(type, draft).flatMap((account) => type.regions.map((region) => [account, region]));
    for (const [account, region] of places) {
      const name = [account, region, type.category, type.owner, type.provider, type.version].join("/");
      const earlier = seen.get(name);
      if (earlier !== undefined && earlier !== path) {
        const where = draft.accounts ? `${region} (account ${account})` : region;
        const what = `${path} is the same action type as ${earlier} in ${where}`;
        findings.mistake(settings.place(`${path}.provider`), what, "keep one of them");
        break;
      }
      seen.set(name, path);
    }
  }
}

function checkActionType(path: string, type: ActionType, { draft, settings, findings }: Checked): void {
  // Also of handlers that could not be read.
  const tree = settings.tree("handlers");
  const names = tree?.kind === "map" ? [...tree.entries.keys()] : [];
  if (settings.isGiven(`${path}.handler`) && !names.includes(type.handler)) {
    const near = nearest(type.handler, names);
    const remedy = near ? `did you mean "${near}"?` : "add it to handlers";
    const what = `${path}.handler ${quote(type.handler)} is not in handlers`;
    findings.mistake(settings.place(`${path}.handler`), what, remedy);
  }
  const isThirdParty = type.owner === "ThirdParty";
  checkQueries(path, type, { settings, findings });
  if (isThirdParty && settings.isSound(`${path}.jobTimeout`) && type.jobTimeoutMs > 3_600_000) {
    const what = `${path}.jobTimeout is over 1h, after which CodePipeline times out third-party actions unless AWS raised your quota`;
    findings.warn(settings.place(`${path}.jobTimeout`), what, "use continuations for longer work");
  }
  checkSecretProperties(path, type, { settings, findings });
  for (const limit of ["maxConcurrentJobs", "maxConcurrentJobsPerClient"] as const) {
    if (!settings.isGiven(`${path}.${limit}`) || !settings.isSound(`worker.${limit}`)) continue;
    const [own, over] = [type[limit], draft.worker[limit]];
    if (own === undefined || over === undefined || own <= over) continue;
    const what = `${path}.${limit} is over worker.${limit} (${over}) and has no effect`;
    findings.warn(settings.place(`${path}.${limit}`), what, `raise worker.${limit}, or lower this`);
  }
}

/** What PollForJobs can be asked for: one queryable property, and each of its values once. */
function checkQueries(
  path: string,
  type: ActionType,
  { settings, findings }: Pick<Checked, "settings" | "findings">,
): void {
  const [one, several] = [`${path}.queryParam`, `${path}.queryParams`];
  const given = [one, several].filter((key) => settings.isGiven(key));
  if (type.owner === "ThirdParty") {
    for (const key of given) {
      const what = `${key} is only for Custom action types: PollForThirdPartyJobs has no such parameter`;
      findings.mistake(settings.place(key), what, "remove it");
    }
    return;
  }
  if (given.length === 2) {
    findings.mistake(settings.place(one), `${one} and ${several} are both given`, "keep one of them");
    return;
  }
  const queries = type.queryParams ?? [];
  const [property = ""] = queries.flatMap(Object.keys);
  for (const [index, query] of queries.entries()) {
    const [name = "", value] = Object.entries(query)[0] ?? [];
    const first = queries.findIndex((each) => each[name] === value);
    const place = settings.place(several, index);
    if (name !== property) {
      const what = `${several}[${index}] names ${quote(name)}, and those before it ${quote(property)}`;
      findings.mistake(place, what, "an action type has only one queryable property: use that one");
    } else if (first < index) {
      findings.mistake(place, `${several}[${index}] repeats item ${first}`, "remove it");
    }
  }
}

/** One property cannot be masked and shown; and what is queried for is no secret to CodePipeline, nor is it here. */
function checkSecretProperties(
  path: string,
  type: ActionType,
  { settings, findings }: Pick<Checked, "settings" | "findings">,
): void {
  const [secret, notSecret] = [`${path}.secretProperties`, `${path}.notSecretProperties`];
  const query = settings.isGiven(`${path}.queryParams`) ? `${path}.queryParams` : `${path}.queryParam`;
  if (!settings.isSound(secret, notSecret, query)) return;
  const queried = [type.queryParam ?? {}, ...(type.queryParams ?? [])].flatMap(Object.keys);
  for (const [index, name] of type.secretProperties.entries()) {
    const other = type.notSecretProperties.includes(name) ? notSecret : queried.includes(name) ? query : undefined;
    if (other === undefined) continue;
    const what = `${secret} and ${other} both name ${quote(name)}`;
    findings.mistake(settings.place(secret, index), what, "keep one of them");
  }
}

/** What a program of the same user can read in /proc, though it does not inherit it: see docs/security.md. */
function checkCommands({ draft, settings, findings, environment }: Checked): void {
  const commands = settings.entries("handlers").filter(({ name }) => draft.handlers[name]?.kind === "command");
  for (const { path } of commands) {
    if (!settings.isGiven(`${path}.group`) || settings.isGiven(`${path}.user`)) continue;
    findings.mistake(settings.place(`${path}.group`), `${path}.group needs a user, and none is set`, "set user too");
  }
  const alike = commands.find(({ path }) => settings.isSound(`${path}.user`) && !settings.isGiven(`${path}.user`));
  if (alike === undefined) return;
  for (const [name, remedy] of secretVariables()) {
    if (!environment[name]) continue;
    const what = `holds a secret, and commands of the same user (handler ${alike.name}) can read partnerd's environment`;
    findings.warn({ kind: "environment", name, directory: "" }, what, `${remedy}, or set user for commands`);
  }
}

/** Secrets that the daemon may be given in its environment, and what to do instead. */
function secretVariables(): readonly (readonly [name: string, remedy: string])[] {
  const ofAws = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  const own = [...settingsOf(schema)].flatMap(([path, setting]) =>
    setting.env && fileFormOf(path, setting) ? [setting.env] : [],
  );
  return [
    ...ofAws.map((name) => [name, "let partnerd assume a role, or use a credentials file"] as const),
    ...own.map((name) => [name, `set ${name}_FILE`] as const),
  ];
}

/** Handlers that no action type names. */
function checkHandlers({ draft, settings, findings }: Checked): void {
  const used = new Set(draft.actionTypes.map(({ handler }) => handler));
  for (const { name, path } of settings.entries("handlers")) {
    if (used.has(name)) continue;
    findings.warn(
      settings.place(`${path}.kind`),
      `no action type uses the handler ${name}`,
      "remove it, or name it in an action type",
    );
  }
}
