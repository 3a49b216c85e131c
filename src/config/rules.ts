// What must hold between settings: the rules that no single value can break. Each finding names the line to change.
// Rules of two keys are in the schema itself, as `atMost`, `uselessOver`, `needs` and `only`.
import { leastLeaseMs } from "../job/lease.js";
import { hostOf, isLoopback, reachableHost } from "../std/addresses.js";
import { mistakesOfProxies, Proxies } from "../std/proxies.js";
import { quote } from "../std/quote.js";
import { nearest } from "../std/suggest.js";
import { formatDuration } from "../std/units.js";
import { accountNamesOf, checkAccounts, ordinaryAccount } from "./account-rules.js";
import { checkActionTypes } from "./action-type-rules.js";
import { mistakesOfAwsVariables } from "./aws-variables.js";
import type { Checked } from "./checked.js";
import type { Draft } from "./config.js";
import { meaningOf } from "./formats.js";
import type { Place } from "./mistakes.js";
import { schema } from "./schema.js";
import type { Setting } from "./setting.js";
import { besideKey, fileFormOf, isFor, lastKey, settingsOf } from "./setting.js";
import type { Settings } from "./settings.js";

/** Adds to the findings whatever breaks a rule. */
export function checkRules(given: Omit<Checked, "types">): void {
  const paths = given.settings.entries("actionTypes").map(({ path }) => path);
  const types = given.draft.actionTypes.map((type, index) => [paths[index] ?? "", type] as const);
  const checked = { ...given, types };
  for (const [path, setting] of given.settings.below(schema)) {
    checkLimit(path, setting, given.settings);
    checkNeed(path, setting, given.settings);
    checkUrl(path, setting, given.settings);
  }
  checkChoices(checked);
  checkNames(checked);
  checkAdmin(checked);
  checkCallbacks(checked);
  checkClientTokens(checked);
  checkLease(checked);
  checkAccounts(checked);
  checkActionTypes(checked);
  checkCommands(checked);
  checkVariables(checked);
}

/** A key that limits another. */
function checkLimit(low: string, { kind, atMost, uselessOver }: Setting, settings: Settings): void {
  const limit = atMost ?? uselessOver;
  if (limit === undefined) return;
  const high = limit.includes(".") ? limit : besideKey(low, limit);
  const [value, most] = [settings.get(low), settings.get(high)];
  if (!settings.isSound(low, high) || value === null || most === null) return;
  if (Number(meaningOf(kind, value)) <= Number(meaningOf(kind, most))) return;
  const [one, other] = [`${low} (${value})`, `${high} (${most})`];
  if (uselessOver !== undefined) {
    const what = `${one} is over ${other} and has no effect`;
    settings.warn(settings.isGiven(low) ? low : high, what, `raise ${high}, or lower ${low}`);
  } else {
    const remedy = settings.isGiven(high) ? `raise ${high}` : `lower ${low}, or raise ${high}`;
    settings.mistake(settings.isGiven(high) ? high : low, `${one} is longer than ${other}`, remedy);
  }
}

/** A key that means nothing without another. */
function checkNeed(path: string, { needs }: Setting, settings: Settings): void {
  if (needs === undefined || !settings.isGiven(path)) return;
  const needed = besideKey(path, needs);
  if (settings.isGiven(needed) || !settings.isSound(needed)) return;
  settings.mistake(path, `${path} needs ${needs}, which is not set`, `set ${needs} too`);
}

/** A URL that leads elsewhere in clear. */
function checkUrl(path: string, { kind }: Setting, settings: Settings): void {
  const value = kind.name === "URL" && settings.isSound(path) ? settings.get(path) : undefined;
  if (typeof value !== "string") return;
  const host = hostOf(value);
  // A name without a dot is one of the network that containers share.
  if (new URL(value).protocol !== "http:" || isLoopback(host) || !/[.:]/.test(host)) return;
  settings.warn(path, `${path} uses plain http to ${host}, so others on the network can read secrets`, "write https");
}

/** Keys that apply only to another choice than the configured one: probably that choice was meant. */
function checkChoices({ settings }: Checked): void {
  let deciding = "";
  let isMistake = false;
  for (const [path, setting] of settingsOf(schema)) {
    const { decides, only } = setting;
    if (decides) [deciding, isMistake] = [path, decides === "strictly"];
    if (only === undefined || !settings.isSound(deciding) || !settings.isGiven(path)) continue;
    const [word, value] = [settings.get(deciding), settings.get(path)];
    if (isFor(setting, word) || (value instanceof Map && value.size === 0)) continue;
    // As `print-config` writes it.
    if (isMistake && value === setting.default) continue;
    // If a variable or flag changes the choice, the file may keep the keys of its own choice.
    const isOfFile = settings.place(path).kind === "file";
    if (isOfFile && !["file", "default"].includes(settings.place(deciding).kind)) continue;
    const key = lastKey(deciding);
    const what = `${path} has no effect with ${key}: ${word}`;
    const remedy = `write ${key}: ${[only].flat().join(" or ")}, or remove it`;
    if (isMistake) settings.mistake(path, what, remedy);
    else settings.warn(path, what, remedy);
  }
}

/** Where an action type names an entry of a map. */
interface Use {
  readonly path: string;
  /** In a list of names. */
  readonly part?: number;
  readonly name: string;
}

/** The handlers and accounts that action types name. */
function checkNames({ draft, settings, types }: Checked): void {
  const handlers = types.map(([path, { handler }]): Use => ({ path: `${path}.handler`, name: handler }));
  const accounts = types.flatMap(([path, type]) =>
    (type.accounts ?? []).map((name, part): Use => ({ path: `${path}.accounts`, part, name })),
  );
  checkUses("handlers", handlers, settings);
  if (settings.isSound("accounts")) checkUses("accounts", accounts, settings);
  const named = types.flatMap(([, type]) => accountNamesOf(type, draft));
  warnOfUnused("handlers", new Set(draft.actionTypes.map(({ handler }) => handler)), settings);
  warnOfUnused("accounts", new Set(named), settings);
}

/** Each name is one of the map's, be it of an entry that could not be read. */
function checkUses(map: "handlers" | "accounts", uses: readonly Use[], settings: Settings): void {
  const tree = settings.tree(map);
  const names = tree?.kind === "map" ? [...tree.entries.keys()] : map === "accounts" ? [ordinaryAccount] : [];
  for (const { path, part, name } of uses) {
    if (!settings.isGiven(path) || names.includes(name)) continue;
    const near = nearest(name, names);
    const add = tree || map === "handlers" ? `add it to ${map}` : `add ${map}, or remove it`;
    const at = part === undefined ? path : `${path}[${part}]`;
    settings.mistake(path, `${at} ${quote(name)} is not in ${map}`, near ? `did you mean "${near}"?` : add, part);
  }
}

function warnOfUnused(map: "handlers" | "accounts", used: ReadonlySet<string>, settings: Settings): void {
  for (const { name } of settings.entries(map)) {
    if (used.has(name)) continue;
    const what = `no action type uses the ${map.slice(0, -1)} ${name}`;
    settings.warn(map, what, "remove it, or name it in an action type", name);
  }
}

function checkAdmin({ draft: { admin }, settings }: Checked): void {
  if (!settings.isSound("admin.host", "admin.token") || admin.token !== undefined) return;
  if (!isLoopback(admin.host)) {
    if (!settings.isSound("admin.port") || admin.port === 0) return;
    const what = `admin.host ${admin.host} opens the admin port to other machines, and admin.token is not set`;
    settings.mistake("admin.host", what, "set admin.token, or use 127.0.0.1");
    return;
  }
  // Whoever leads services elsewhere to a port on loopback has a proxy here, and all that it lets through looks local.
  if (admin.publicUrl === undefined || !settings.isSound("admin.publicUrl")) return;
  if (isLoopback(hostOf(admin.publicUrl))) return;
  const what =
    "admin.publicUrl leads other machines here, and admin.token is not set: whoever the proxy lets through can see and end jobs";
  settings.warn("admin.publicUrl", what, "set admin.token, or let the proxy forward only POST /jobs/ID/outcome");
}

/** A service may answer 202 and deliver the outcome later, if it can reach the address that it is given. */
function checkCallbacks({ draft: { admin, handlers }, settings }: Checked): void {
  if (!settings.isSound("admin.host", "admin.port", "admin.publicUrl") || admin.port === 0) return;
  const host = admin.publicUrl === undefined ? reachableHost(admin.host) : hostOf(admin.publicUrl);
  if (!isLoopback(host)) return;
  for (const { name, path } of settings.entries("handlers")) {
    const handler = handlers[name];
    if (handler?.kind !== "http" || !settings.isSound(`${path}.url`)) continue;
    const service = hostOf(handler.url);
    if (isLoopback(service)) continue;
    const what = `${path}.url is on another machine (${service}), which cannot reach callbacks at ${host}`;
    settings.warn(`${path}.url`, what, "set admin.publicUrl to an address at which it can reach the admin port");
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

function checkClientTokens({ draft: { clientTokens }, settings, types }: Checked): void {
  const [key, remedy] = sourceNeeds[clientTokens.source];
  const [source, wanted] = ["clientTokens.source", `clientTokens.${key}`];
  if (!settings.isSound(source, wanted)) return;
  if (settings.isGiven(source) && !settings.isGiven(wanted)) {
    settings.mistake(source, `${wanted} is missing, and source: ${clientTokens.source} needs it`, remedy);
    return;
  }
  const [thirdParty] = types.find(([, { owner }]) => owner === "ThirdParty") ?? [];
  // A path without a source is reported already.
  if (thirdParty === undefined || clientTokens.source !== "static" || settings.isGiven("clientTokens.path")) return;
  if (Object.keys(clientTokens.tokens).length > 0) return;
  const what = "third-party action types need client tokens, and there are none";
  settings.mistake(`${thirdParty}.owner`, what, "add clientTokens: {source: file, path: …}");
}

/** Handlers are stopped early enough to end before the lease expires: the rest must be enough time to work. */
function checkLease({ draft: { ledger, shutdown }, settings }: Checked): void {
  const [lease, grace] = ["ledger.lease", "shutdown.cancelGrace"];
  if (ledger.store !== "dynamodb" || !settings.isSound("ledger.store", lease, grace)) return;
  const leastMs = leastLeaseMs(shutdown.cancelGraceMs);
  if (ledger.leaseMs >= leastMs) return;
  const what = `${lease} (${settings.get(lease)}) is too short for ${grace} (${settings.get(grace)})`;
  const isAllowed = schema.ledger.lease.kind.problems(formatDuration(leastMs)).length === 0;
  const raise = isAllowed ? `write lease: ${formatDuration(leastMs)} or more, or ` : "";
  settings.mistake(settings.isGiven(lease) ? lease : grace, what, `${raise}lower ${grace}`);
}

/** What a program of the same user can read in /proc, though it does not inherit it: see docs/security.md. */
function checkCommands({ draft, settings, environment }: Checked): void {
  const commands = settings.entries("handlers").filter(({ name }) => draft.handlers[name]?.kind === "command");
  const alike = commands.find(({ path }) => settings.isSound(`${path}.user`) && !settings.isGiven(`${path}.user`));
  if (alike === undefined) return;
  for (const [name, remedy] of secretVariables()) {
    if (!environment[name]) continue;
    const what = `holds a secret, and commands of the same user (handler ${alike.name}) can read partnerd's environment`;
    settings.findings.warn(variable(name), what, `${remedy}, or set user for commands`);
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

/** With such a value no call, or no connection at all, would succeed. */
function checkVariables({ environment, settings: { findings } }: Checked): void {
  for (const mistake of [...mistakesOfAwsVariables(environment), ...mistakesOfProxies(environment)]) {
    findings.mistake(variable(mistake.variable), mistake.what, mistake.remedy);
  }
  if (leaksMetadata(environment)) {
    const what = "has Node ask for the instance's credentials by the proxy";
    findings.warn(
      variable("NODE_USE_ENV_PROXY"),
      what,
      "unset it: partnerd does not need it; or add 169.254.169.254 to NO_PROXY",
    );
  }
}

/** Node's own switch for proxies applies to what the SDK asks of the instance, which no proxy may see. */
function leaksMetadata(environment: Checked["environment"]): boolean {
  if (environment["NODE_USE_ENV_PROXY"] !== "1" || mistakesOfProxies(environment).length > 0) return false;
  return Proxies.from(environment).of(new URL("http://169.254.169.254")) !== undefined;
}

function variable(name: string): Place {
  return { kind: "environment", name, directory: "" };
}
