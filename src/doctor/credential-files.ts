// The files that the SDK may take credentials from. It passes over what it cannot read without a word, so that "no
// credentials" may mean "no permission". Reads no content.
import { access, constants, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Each variable, and the file in the home folder that is meant without it. */
const sources: readonly (readonly [variable: string, inHome?: string])[] = [
  ["AWS_SHARED_CREDENTIALS_FILE", "credentials"],
  ["AWS_CONFIG_FILE", "config"],
  ["AWS_WEB_IDENTITY_TOKEN_FILE"],
  ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
];

/** What is wrong with files of credentials that are there or that a variable names; a line for each. */
export async function credentialFileTroubles(environment: Environment): Promise<readonly string[]> {
  const home = environment["HOME"] ?? homedir();
  const troubles = sources.map(async ([variable, inHome]) => {
    const named = environment[variable] || undefined;
    const path = named ?? (inHome === undefined ? undefined : join(home, ".aws", inHome));
    if (path === undefined) return [];
    const trouble = await troubleWith(path, named !== undefined);
    return trouble === undefined ? [] : [`${named === undefined ? "" : `${variable} names `}${path}, which ${trouble}`];
  });
  return (await Promise.all(troubles)).flat();
}

async function troubleWith(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) return "is a folder";
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return isNamed ? "does not exist" : undefined;
    return code === "EACCES" ? "this user may not read" : `cannot be read (${code ?? "unknown error"})`;
  }
}
