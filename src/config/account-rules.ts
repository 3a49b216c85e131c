// Accounts: whether each says in one way how it is reached, and whether a role can be of use where it is polled.
import { partitionOf } from "../std/partitions.js";
import type { ActionType, Checked } from "./checked.js";
import type { Draft } from "./config.js";

/** The account that there is where none is configured. */
export const ordinaryAccount = "default";

/** The accounts that an action type is polled in. */
export function accountNamesOf(
  { accounts }: Pick<ActionType, "accounts">,
  draft: Pick<Draft, "accounts">,
): readonly string[] {
  return accounts ?? (draft.accounts ? Object.keys(draft.accounts) : [ordinaryAccount]);
}

/** Adds to the findings whatever breaks a rule. */
export function checkAccounts(checked: Checked): void {
  const { draft, settings } = checked;
  const seen = new Map<string, string>();
  for (const { name, path } of settings.entries("accounts")) {
    const { roleArn, profile = "" } = draft.accounts?.[name] ?? {};
    const [role, other] = [`${path}.roleArn`, `${path}.profile`];
    if (settings.isGiven(role) && settings.isGiven(other)) {
      const what = `${role} and ${other} are both given`;
      settings.mistake(other, what, "keep one of them: a profile may name a role itself");
    }
    const credentials = roleArn ?? `profile ${profile}`;
    const first = seen.get(credentials);
    if (first === undefined) seen.set(credentials, path);
    else if (settings.isSound(role, other)) {
      // Their pollers would take jobs from each other.
      settings.mistake("accounts", `${path} uses the same credentials as ${first}`, "keep one of them", name);
    }
  }
  checkPartitions(checked);
}

/** Action types name an account, and no role of another partition than their Regions': it cannot be assumed there. */
function checkPartitions({ draft, settings, types }: Checked): void {
  for (const [path, type] of types) {
    const key = `${path}.accounts`;
    if (!settings.isSound(key, "accounts")) continue;
    if (type.accounts?.length === 0)
      settings.mistake(key, `${key} is empty`, "name an account, or remove the key to use all of them");
    for (const name of accountNamesOf(type, draft)) {
      const partition = draft.accounts?.[name]?.roleArn?.split(":")[1];
      const region = partition && type.regions.find((each) => partitionOf(each) !== partition);
      if (!region) continue;
      const what = `${path} is polled in ${region}, but the role of the account ${name} is in the partition ${partition}`;
      settings.mistake(`accounts.${name}.roleArn`, what, `name other accounts or Regions in ${path}`);
    }
  }
}
