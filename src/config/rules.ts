// What must hold between settings: the rules that no single value can break. Each finding names the line to change.
import { leastLeaseMs } from "../job/lease.js";
import { isLoopback } from "../std/addresses.js";
import { checkAwsVariables } from "./aws-variables.js";
import type { HandlerEntry } from "./entries.js";
import type { Environment } from "./environment.js";
import type { Findings } from "./mistakes.js";
import { quote } from "./mistakes.js";
import { knownRegions } from "./regions.js";
import { schema } from "./schema.js";
import { checkServices } from "./service-rules.js";
import { settingsOf } from "./setting.js";
import type { Settings } from "./settings.js";
import { nearest } from "./suggest.js";
import { formatDuration } from "./units.js";

/** All that the rules look at. */
export interface Checked {
  readonly settings: Settings;
  readonly findings: Findings;
  readonly environment: Environment;
  /** Prefixes of the action types' settings. */
  readonly actionTypes: readonly string[];
  readonly handlers: readonly HandlerEntry[];
  /** Names under `handlers`, also of those that could not be read. */
  readonly handlerNames: ReadonlySet<string>;
  readonly regionsOf: (actionType: string) => readonly string[];
}

/** Adds to the findings whatever breaks a rule. */
export function checkRules(checked: Checked): void {
  checkOrder(checked);
  checkAdmin(checked);
  checkClientTokens(checked);
  checkLedger(checked);
  checkRegions(checked);
  checkDuplicates(checked);
  for (const path of checked.actionTypes) checkActionType(path, checked);
  checkHandlers(checked);
  checkCommands(checked);
  checkAwsVariables(checked.environment, checked.findings);
  checkServices(checked);
}

/** A lower limit that is above its upper one. */
function checkOrder({ settings, findings }: Checked): void {
  const pairs = [["polling.minInterval", "polling.maxInterval"]];
  for (const path of settings.paths()) {
    if (/^retry\.[^.]+\.minDelay$/.test(path)) pairs.push([path, path.replace(/minDelay$/, "maxDelay")]);
  }
  for (const [low = "", high = ""] of pairs) {
    if (!settings.isSound(low) || !settings.isSound(high)) continue;
    if (settings.durationMs(low) <= settings.durationMs(high)) continue;
    const place = settings.place(settings.isGiven(high) ? high : low);
    const what = `${low} (${settings.text(low)}) is longer than ${high} (${settings.text(high)})`;
    findings.mistake(place, what, settings.isGiven(high) ? `raise ${high}` : `lower ${low}, or raise ${high}`);
  }
  for (const part of ["aws.connectionTimeout", "aws.socketTimeout"]) {
    if (!settings.isSound(part) || !settings.isSound("aws.requestTimeout")) continue;
    if (settings.durationMs(part) <= settings.durationMs("aws.requestTimeout")) continue;
    const place = settings.place(settings.isGiven(part) ? part : "aws.requestTimeout");
    findings.warn(place, `${part} is longer than aws.requestTimeout and never comes to bear`, "lower it");
  }
}

function checkAdmin({ settings, findings }: Checked): void {
  if (settings.isSound("admin.host") && settings.isSound("admin.port") && settings.isSound("admin.token")) {
    const isOpen = settings.number("admin.port") !== 0 && !isLoopback(settings.text("admin.host"));
    if (isOpen && settings.get("admin.token") === null) {
      const what = `admin.host ${settings.text("admin.host")} can be reached from elsewhere, and there is no admin.token`;
      findings.mistake(settings.place("admin.host"), what, "set admin.token, or keep to 127.0.0.1");
    }
  }
  const publicUrl = settings.isSound("admin.publicUrl") ? settings.optionalText("admin.publicUrl") : undefined;
  checkPublicUrl(publicUrl, { settings, findings });
  if (publicUrl !== undefined && new URL(publicUrl).search !== "") {
    const what = "admin.publicUrl has a query, and paths are put behind it";
    findings.mistake(settings.place("admin.publicUrl"), what, "remove the part from ? on");
  }
}

/** Whoever leads services elsewhere to a port on loopback has a proxy here, and all that it lets through looks local. */
function checkPublicUrl(publicUrl: string | undefined, { settings, findings }: Pick<Checked, "settings" | "findings">) {
  if (publicUrl === undefined || isLoopback(new URL(publicUrl).hostname.replace(/^\[|\]$/g, ""))) return;
  if (!settings.isSound("admin.token") || settings.get("admin.token") !== null) return;
  if (!settings.isSound("admin.host") || !isLoopback(settings.text("admin.host"))) return;
  const what =
    "admin.publicUrl leads here from elsewhere, and there is no admin.token: who comes by a proxy may see and end jobs";
  findings.warn(
    settings.place("admin.publicUrl"),
    what,
    "set admin.token, or let the proxy pass POST /jobs/ID/outcome alone",
  );
}

function checkClientTokens({ settings, findings, actionTypes }: Checked): void {
  if (!settings.isSound("clientTokens.source")) return;
  const source = settings.text("clientTokens.source");
  const wanted = source === "file" ? "path" : "tokens";
  const unused = source === "file" ? "tokens" : "path";
  const isEmptyMap = unused === "tokens" && settings.map("clientTokens.tokens").size === 0;
  if (settings.isGiven(`clientTokens.${unused}`) && !isEmptyMap) {
    const mend = unused === "path" ? "write source: file, or remove it" : "write source: static, or remove it";
    const what = `clientTokens.${unused} is not used by the source ${source}`;
    findings.mistake(settings.place(`clientTokens.${unused}`), what, mend);
    return;
  }
  const isMissing = settings.isSound(`clientTokens.${wanted}`) && !settings.isGiven(`clientTokens.${wanted}`);
  if (isMissing && settings.isGiven("clientTokens.source")) {
    findings.mistake(
      settings.place("clientTokens.source"),
      `clientTokens.${wanted} is missing for the source ${source}`,
      wanted === "path" ? "name the client token file" : "write tokens: {CLIENT-ID: TOKEN}",
    );
    return;
  }
  const thirdParty = actionTypes.find((path) => settings.get(`${path}.owner`) === "ThirdParty");
  const isEmpty = source === "static" && settings.isSound("clientTokens.tokens") && settings.map("clientTokens.tokens");
  if (thirdParty !== undefined && isEmpty && isEmpty.size === 0) {
    const what = "third-party action types need client tokens, and there are none";
    findings.mistake(settings.place(`${thirdParty}.owner`), what, "add clientTokens: {source: file, path: …}");
  }
}

/** Keys of another store than the one that is chosen: whoever wrote them meant that one. */
function checkLedger({ settings, findings }: Checked): void {
  if (!settings.isSound("ledger.store")) return;
  const store = settings.text("ledger.store");
  if (store === "dynamodb") return checkLease({ settings, findings });
  for (const key of ["table", "region", "endpoint", "lease"]) {
    if (!settings.isGiven(`ledger.${key}`)) continue;
    const what = `ledger.${key} is not used by the store ${store}`;
    findings.warn(settings.place(`ledger.${key}`), what, "write store: dynamodb, or remove it");
  }
}

/** Handlers are told to stop so early that they have ended with the lease: what is left must be enough to work in. */
function checkLease({ settings, findings }: Pick<Checked, "settings" | "findings">): void {
  const [lease, grace] = ["ledger.lease", "shutdown.cancelGrace"];
  if (!settings.isSound(lease) || !settings.isSound(grace)) return;
  const leastMs = leastLeaseMs(settings.durationMs(grace));
  if (settings.durationMs(lease) >= leastMs) return;
  const what = `${lease} (${settings.text(lease)}) is too short for ${grace} (${settings.text(grace)})`;
  const raise = leastMs <= leaseMaxMs ? `write lease: ${formatDuration(leastMs)} or more, or ` : "";
  findings.mistake(settings.place(settings.isGiven(lease) ? lease : grace), what, `${raise}lower ${grace}`);
}

/** What entry-schema.ts allows. */
const leaseMaxMs = 600_000;

/** Regions that do not exist, and action types that have none. */
function checkRegions({ settings, findings, environment, actionTypes, regionsOf }: Checked): void {
  for (const path of actionTypes) {
    if (!settings.isSound(`${path}.regions`) || !settings.isSound("regions") || regionsOf(path).length > 0) continue;
    const place = settings.place(settings.isGiven(`${path}.regions`) ? `${path}.regions` : `${path}.provider`);
    findings.mistake(place, `${path} has no Region to be polled in`, "set regions, at the top or here");
  }
  // An endpoint of one's own, such as the emulator's, knows whatever Region it likes.
  const endpoints = [environment["AWS_ENDPOINT_URL_CODEPIPELINE"], environment["AWS_ENDPOINT_URL"]];
  const isFree =
    settings.isOn("allowUnknownRegions") || settings.get("aws.endpoint") !== null || endpoints.some(Boolean);
  if (isFree) return;
  for (const path of ["regions", ...actionTypes.map((each) => `${each}.regions`)]) {
    if (!settings.isGiven(path)) continue;
    for (const [index, region] of settings.list(path).entries()) {
      if (knownRegions.includes(region)) continue;
      const near = nearest(region, knownRegions);
      const mend = `${near ? `did you mean "${near}"? ` : ""}A new Region needs allowUnknownRegions: true`;
      findings.mistake(settings.place(path, index), `${path}[${index}] is ${quote(region)}, no known Region`, mend);
    }
  }
}

/** Two loops that poll the same jobs would take them from each other. */
function checkDuplicates({ settings, findings, actionTypes, regionsOf }: Checked): void {
  const seen = new Map<string, string>();
  for (const path of actionTypes) {
    const keys = ["category", "owner", "provider", "version"].map((key) => `${path}.${key}`);
    if (!keys.every((key) => settings.isGiven(key))) continue;
    const name = keys.map((key) => settings.text(key)).join("/");
    for (const region of regionsOf(path)) {
      const earlier = seen.get(`${region} ${name}`);
      if (earlier !== undefined && earlier !== path) {
        const what = `${path} is the same action type as ${earlier} in ${region}`;
        findings.mistake(settings.place(`${path}.provider`), what, "keep one of them");
        break;
      }
      seen.set(`${region} ${name}`, path);
    }
  }
}

function checkActionType(path: string, { settings, findings, handlerNames }: Checked): void {
  const handler = settings.get(`${path}.handler`);
  if (settings.isGiven(`${path}.handler`) && typeof handler === "string" && !handlerNames.has(handler)) {
    const near = nearest(handler, handlerNames);
    const mend = near ? `did you mean "${near}"?` : "add it to handlers";
    findings.mistake(settings.place(`${path}.handler`), `${path}.handler ${quote(handler)} is not in handlers`, mend);
  }
  const isThirdParty = settings.get(`${path}.owner`) === "ThirdParty";
  if (isThirdParty && settings.isGiven(`${path}.queryParam`)) {
    const what = `${path}.queryParam is for Custom action types: PollForThirdPartyJobs takes none`;
    findings.mistake(settings.place(`${path}.queryParam`), what, "remove it");
  }
  if (isThirdParty && settings.isSound(`${path}.jobTimeout`) && settings.durationMs(`${path}.jobTimeout`) > 3_600_000) {
    const what = `${path}.jobTimeout is over 1h, when CodePipeline ends third-party actions unless AWS raised the quota`;
    findings.warn(settings.place(`${path}.jobTimeout`), what, "use continuations for longer work");
  }
  checkSecretProperties(path, { settings, findings });
  const limit = `${path}.maxConcurrentJobs`;
  if (!settings.isGiven(limit) || !settings.isSound("worker.maxConcurrentJobs")) return;
  if (settings.number(limit) > settings.number("worker.maxConcurrentJobs")) {
    const what = `${limit} is over worker.maxConcurrentJobs (${settings.number("worker.maxConcurrentJobs")})`;
    findings.warn(settings.place(limit), `${what} and never comes to bear`, "raise that one, or lower this");
  }
}

/** One property cannot be masked and shown; and what is queried for is no secret to CodePipeline, nor is it here. */
function checkSecretProperties(path: string, { settings, findings }: Pick<Checked, "settings" | "findings">): void {
  const keys = ["secretProperties", "notSecretProperties", "queryParam"].map((key) => `${path}.${key}`);
  if (!keys.every((key) => settings.isSound(key))) return;
  const [secret = "", notSecret = "", query = ""] = keys;
  const queried = settings.get(query);
  for (const [index, name] of settings.list(secret).entries()) {
    const other = settings.list(notSecret).includes(name)
      ? notSecret
      : queried instanceof Map && queried.has(name)
        ? query
        : undefined;
    if (other === undefined) continue;
    findings.mistake(
      settings.place(secret, index),
      `${secret} and ${other} both name ${quote(name)}`,
      "keep one of them",
    );
  }
}

/** What a program of the same user can read in /proc, though it does not inherit it: see docs/security.md. */
function checkCommands({ settings, findings, environment, handlers }: Checked): void {
  const commands = handlers.filter(({ kind }) => kind === "command");
  for (const { path } of commands) {
    if (!settings.isGiven(`${path}.group`) || settings.isGiven(`${path}.user`)) continue;
    findings.mistake(settings.place(`${path}.group`), `${path}.group is for a user, and there is none`, "set user too");
  }
  const alike = commands.find(({ path }) => settings.isSound(`${path}.user`) && !settings.isGiven(`${path}.user`));
  if (alike === undefined) return;
  for (const [name, mend] of secretVariables()) {
    if (!environment[name]) continue;
    const what = `holds a secret, and commands of the same user (handler ${alike.name}) can read partnerd's environment`;
    findings.warn({ kind: "environment", name, directory: "" }, what, `${mend}, or give commands a user of their own`);
  }
}

/** Secrets that the daemon may be given in its environment, and what to do instead. */
function secretVariables(): readonly (readonly [name: string, mend: string])[] {
  const ofAws = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  return [
    ...ofAws.map((name) => [name, "let partnerd take on a role, or use a credentials file"] as const),
    ...[...settingsOf(schema)].flatMap(([, { env, sensitive, hasFileForm }]) =>
      sensitive && env ? [[env, hasFileForm ? `set ${env}_FILE` : "write it into a file"] as const] : [],
    ),
  ];
}

/** Handlers that no action type names. */
function checkHandlers({ settings, findings, actionTypes, handlers }: Checked): void {
  const used = new Set(actionTypes.map((path) => settings.get(`${path}.handler`)));
  for (const { name, path } of handlers) {
    if (used.has(name)) continue;
    findings.warn(settings.place(`${path}.kind`), `no action type uses the handler ${name}`, "remove it, or name it");
  }
}
