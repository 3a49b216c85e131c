// Action types: their Regions, that no two of them poll the same jobs, what each asks for, and what it masks.

import { quote } from "../std/quote.js";
import { knownRegions } from "../std/regions.js";
import { nearest } from "../std/suggest.js";
import { accountNamesOf } from "./account-rules.js";
import type { ActionType, Checked } from "./checked.js";
import type { Settings } from "./settings.js";

/** Adds to the findings whatever breaks a rule. */
export function checkActionTypes(checked: Checked): void {
  checkRegions(checked);
  checkDuplicates(checked);
  for (const [path, type] of checked.types) {
    checkTimeout(path, type, checked.settings);
    checkQueries(path, type, checked.settings);
    checkGovCloud(path, type, checked.settings);
    checkSecretProperties(path, type, checked.settings);
  }
}

/** Regions that do not exist, and action types that have none. */
function checkRegions({ draft, settings, environment, types }: Checked): void {
  for (const [path, { regions }] of types) {
    if (!settings.isSound(`${path}.regions`, "regions") || regions.length > 0) continue;
    const at = settings.isGiven(`${path}.regions`) ? `${path}.regions` : `${path}.provider`;
    settings.mistake(at, `${path} has no Region`, "set regions, at the top level or here");
  }
  // An endpoint of one's own, such as the emulator's, knows whatever Region it likes.
  const endpoints = [environment["AWS_ENDPOINT_URL_CODEPIPELINE"], environment["AWS_ENDPOINT_URL"], draft.aws.endpoint];
  if (draft.allowUnknownRegions || endpoints.some(Boolean)) return;
  const lists = types.map(([path, { regions }]) => [`${path}.regions`, regions] as const);
  for (const [path, regions] of [["regions", draft.regions] as const, ...lists]) {
    for (const [index, region] of settings.isGiven(path) ? regions.entries() : []) {
      if (knownRegions.includes(region)) continue;
      const near = nearest(region, knownRegions);
      const remedy = `${near ? `did you mean "${near}"? A` : "a"} new Region needs allowUnknownRegions: true`;
      settings.mistake(path, `${path}[${index}] is ${quote(region)}, not a known Region`, remedy, index);
    }
  }
}

/** Two loops that poll the same jobs would take them from each other. */
function checkDuplicates({ draft, settings, types }: Checked): void {
  const seen = new Map<string, string>();
  for (const [path, type] of types) {
    if (!["category", "owner", "provider", "version"].every((key) => settings.isGiven(`${path}.${key}`))) continue;
    const places = accountNamesOf(type, draft).flatMap((account) => type.regions.map((region) => [account, region]));
    for (const [account, region] of places) {
      const name = [account, region, type.category, type.owner, type.provider, type.version].join("/");
      const earlier = seen.get(name);
      if (earlier !== undefined && earlier !== path) {
        const where = draft.accounts ? `${region} (account ${account})` : region;
        const what = `${path} is the same action type as ${earlier} in ${where}`;
        settings.mistake(`${path}.provider`, what, "keep one of them");
        break;
      }
      seen.set(name, path);
    }
  }
}

function checkTimeout(path: string, { owner, jobTimeoutMs }: ActionType, settings: Settings): void {
  const key = `${path}.jobTimeout`;
  if (owner !== "ThirdParty" || !settings.isSound(key) || jobTimeoutMs <= 3_600_000) return;
  const what = `${key} is over 1h, after which CodePipeline times out third-party actions unless AWS raised your quota`;
  settings.warn(key, what, "use continuations for longer work");
}

/** A warning, not a mistake: which Regions have custom actions is for AWS to say, and may change. */
function checkGovCloud(path: string, { owner, regions }: ActionType, settings: Settings): void {
  const there = owner === "Custom" ? regions.filter((region) => region.startsWith("us-gov-")) : [];
  if (there.length === 0) return;
  const where = settings.isGiven(`${path}.regions`) ? `${path}.regions` : `${path}.provider`;
  const what = `${path} is a custom action type in ${there.join(", ")}, and CodePipeline has no custom actions in AWS GovCloud`;
  settings.warn(where, what, "remove the Region, unless AWS has told you otherwise");
}

/** What PollForJobs can be asked for: one queryable property, and each of its values once. */
function checkQueries(path: string, type: ActionType, settings: Settings): void {
  const [one, several] = [`${path}.queryParam`, `${path}.queryParams`];
  const given = [one, several].filter((key) => settings.isGiven(key));
  if (type.owner === "ThirdParty") {
    for (const key of given) {
      const what = `${key} is only for Custom action types: PollForThirdPartyJobs has no such parameter`;
      settings.mistake(key, what, "remove it");
    }
    return;
  }
  if (given.length === 2) {
    settings.mistake(one, `${one} and ${several} are both given`, "keep one of them");
    return;
  }
  const queries = type.queryParams ?? [];
  const [property = ""] = queries.flatMap(Object.keys);
  for (const [index, query] of queries.entries()) {
    const [name = "", value] = Object.entries(query)[0] ?? [];
    const first = queries.findIndex((each) => each[name] === value);
    const item = `${several}[${index}]`;
    if (name !== property) {
      const what = `${item} names ${quote(name)}, and those before it ${quote(property)}`;
      settings.mistake(several, what, "an action type has only one queryable property: use that one", index);
    } else if (first < index) settings.mistake(several, `${item} repeats item ${first}`, "remove it", index);
  }
}

/** One property cannot be masked and shown; and what is queried for is no secret to CodePipeline, nor is it here. */
function checkSecretProperties(path: string, type: ActionType, settings: Settings): void {
  const [secret, notSecret] = [`${path}.secretProperties`, `${path}.notSecretProperties`];
  const query = settings.isGiven(`${path}.queryParams`) ? `${path}.queryParams` : `${path}.queryParam`;
  if (!settings.isSound(secret, notSecret, query)) return;
  const queried = [type.queryParam ?? {}, ...(type.queryParams ?? [])].flatMap(Object.keys);
  for (const [index, name] of type.secretProperties.entries()) {
    const other = type.notSecretProperties.includes(name) ? notSecret : queried.includes(name) ? query : undefined;
    if (other === undefined) continue;
    settings.mistake(secret, `${secret} and ${other} both name ${quote(name)}`, "keep one of them", index);
  }
}
