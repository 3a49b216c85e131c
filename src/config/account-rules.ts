// Accounts: whether each says in one way how it is reached, whether action types name those that there are, and whether
// a role can be of use where it is polled.
import { partitionOf } from "../std/partitions.js";
import { nearest } from "../std/suggest.js";
import type { Draft } from "./config.js";
import type { Findings } from "./mistakes.js";
import { quote } from "./mistakes.js";
import type { Settings } from "./settings.js";

type ActionType = Draft["actionTypes"][number];
type Account = NonNullable<Draft["accounts"]>[string];

interface Accounts {
  readonly draft: Draft;
  readonly settings: Settings;
  readonly findings: Findings;
  /** The action types by the prefixes of their settings. */
  readonly types: readonly (readonly [path: string, type: ActionType])[];
}

/** The account that there is where none is configured. */
const ordinary = "default";

/** The accounts that an action type is polled in. */
export function accountNamesOf(
  { accounts }: Pick<ActionType, "accounts">,
  draft: Pick<Draft, "accounts">,
): readonly string[] {
  return accounts ?? (draft.accounts ? Object.keys(draft.accounts) : [ordinary]);
}

/** Adds to the findings whatever breaks a rule. */
export function checkAccounts(given: Accounts): void {
  const { draft, settings, findings, types } = given;
  const entries = settings.entries("accounts");
  const seen = new Map<string, string>();
  const used = new Set(types.flatMap(([, type]) => accountNamesOf(type, draft)));
  for (const { name, path } of entries) {
    const account = draft.accounts?.[name] ?? {};
    checkAccount(path, account, given);
    const key = account.roleArn ?? `profile ${account.profile ?? ""}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else if (settings.isSound(`${path}.roleArn`, `${path}.profile`)) {
      // Their pollers would take jobs from each other.
      findings.mistake(placeOf(path, settings), `${path} uses the same credentials as ${first}`, "keep one of them");
    }
    if (used.has(name)) continue;
    findings.warn(
      placeOf(path, settings),
      `no action type uses the account ${name}`,
      "remove it, or add it to an action type's accounts",
    );
  }
  for (const [path, type] of types) checkNames(path, type, given);
}

/** Where something stands of an account. */
function placeOf(path: string, settings: Settings) {
  const key = ["roleArn", "profile", "externalId", "sessionName"].find((each) => settings.isGiven(`${path}.${each}`));
  return settings.place(key === undefined ? "accounts" : `${path}.${key}`);
}

function checkAccount(path: string, account: Account, { settings, findings }: Accounts): void {
  const [role, profile] = [`${path}.roleArn`, `${path}.profile`];
  if (settings.isGiven(role) && settings.isGiven(profile)) {
    const what = `${role} and ${profile} are both given`;
    findings.mistake(settings.place(profile), what, "keep one of them: a profile may name a role itself");
  }
  for (const key of ["externalId", "sessionName"] as const) {
    if (account[key] === undefined || account.roleArn !== undefined || !settings.isSound(role)) continue;
    findings.mistake(
      settings.place(`${path}.${key}`),
      `${path}.${key} needs a role, and roleArn is not set`,
      "set roleArn",
    );
  }
}

/** Names that there are, and roles of the partition that the Region is in: no other can be assumed there. */
function checkNames(path: string, type: ActionType, { draft, settings, findings }: Accounts): void {
  const key = `${path}.accounts`;
  if (!settings.isSound(key, "accounts")) return;
  const known = draft.accounts ? Object.keys(draft.accounts) : [ordinary];
  // Also of accounts that could not be read.
  const tree = settings.tree("accounts");
  const written = tree?.kind === "map" ? [...tree.entries.keys()] : known;
  if (type.accounts?.length === 0)
    findings.mistake(settings.place(key), `${key} is empty`, "name an account, or remove the key to use all of them");
  for (const [index, name] of (type.accounts ?? []).entries()) {
    if (written.includes(name)) continue;
    const near = nearest(name, written);
    const remedy = near
      ? `did you mean "${near}"?`
      : draft.accounts
        ? "add it to accounts"
        : "add accounts, or remove it";
    findings.mistake(settings.place(key, index), `${key}[${index}] ${quote(name)} is not in accounts`, remedy);
  }
  for (const name of accountNamesOf(type, draft)) {
    const arn = draft.accounts?.[name]?.roleArn;
    const partition = arn?.split(":")[1];
    const region = partition && type.regions.find((each) => partitionOf(each) !== partition);
    if (!region) continue;
    const what = `${path} is polled in ${region}, but the role of the account ${name} is in the partition ${partition}`;
    findings.mistake(settings.place(`accounts.${name}.roleArn`), what, `name other accounts or Regions in ${path}`);
  }
}
