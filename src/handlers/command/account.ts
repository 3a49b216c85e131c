// The user and group that a command runs as, where they are not the daemon's own: names looked up, and checked before
// the first job whether the daemon may change to them and whether they get as far as they must.
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Unbuildable } from "../unbuildable.js";

/** Whom a command runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** For the variable HOME; undefined when it is not known. */
  readonly home: string | undefined;
}

export interface AccountNames {
  /** A name in /etc/passwd, or a number. */
  readonly user: string;
  /** A name in /etc/group, or a number; absent: the user's own. */
  readonly group?: string | undefined;
}

/** What it takes to run a command as another user, to signal it, and to read and remove what it made; with its bit. */
const capabilities = { CHOWN: 0, DAC_OVERRIDE: 1, KILL: 5, SETGID: 6, SETUID: 7 } as const;

/** The account; undefined when it is the daemon's own. Throws Unbuildable when the daemon may not change to it. */
export async function accountOf(names: AccountNames): Promise<Account | undefined> {
  const account = await lookedUp(names);
  if (account.uid === process.geteuid?.() && account.gid === process.getegid?.()) return undefined;
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const obstacle = obstacleToOthers(status, process.geteuid?.());
  if (obstacle === undefined) return account;
  throw new Unbuildable(
    `\`user\` is ${names.user}, but partnerd may not run programs as another user (${obstacle}); ` +
      "start it as root with these capabilities, or remove `user` and `group`",
  );
}

/** Why this process cannot run programs as another user, by its `/proc/self/status`; undefined when it can. */
export function obstacleToOthers(status: string, euid: number | undefined): string | undefined {
  const effective = capabilitySet(status, "CapEff");
  // No Linux, no capabilities: root may do it all.
  if (effective === undefined) return euid === 0 ? undefined : "it is not root";
  const bits = Object.entries(capabilities).map(([name, bit]) => [`CAP_${name}`, 1n << BigInt(bit)] as const);
  const missing = bits.filter(([, bit]) => (effective & bit) === 0n).map(([name]) => name);
  if (missing.length > 0) return `it lacks ${missing.join(", ")}`;
  const ambient = capabilitySet(status, "CapAmb") ?? 0n;
  // Root's go when the user changes; those of anybody else stay, and would make the command as mighty as the daemon.
  if (euid === 0 || bits.every(([, bit]) => (ambient & bit) === 0n)) return undefined;
  return "its capabilities are ambient, so its commands would keep them";
}

function capabilitySet(status: string, name: string): bigint | undefined {
  const bits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "im").exec(status)?.[1];
  return bits === undefined ? undefined : BigInt(`0x${bits}`);
}

/** Throws Unbuildable when the account may not pass through the folders to a program or may not execute it. */
export async function checkProgramOf(account: Account, program: string): Promise<void> {
  await checkWay(account, program);
  if (mayExecute(account, await stat(program))) return;
  throw new Unbuildable(`the user ${account.uid} may not execute ${program}; run \`chmod o+x ${program}\``);
}

/** Throws Unbuildable when the account may not pass through a folder above the path. */
export async function checkWay(account: Account, path: string): Promise<void> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!mayExecute(account, await stat(folder))) {
      throw new Unbuildable(
        `the user ${account.uid} may not pass through ${folder} to ${path}; run \`chmod o+x ${folder}\`, or move it`,
      );
    }
    if (folder === dirname(folder)) return;
  }
}

function mayExecute({ uid, gid }: Account, stats: { uid: number; gid: number; mode: number }): boolean {
  if (uid === 0) return (stats.mode & 0o111) !== 0;
  const bit = stats.uid === uid ? 0o100 : stats.gid === gid ? 0o010 : 0o001;
  return (stats.mode & bit) !== 0;
}

async function lookedUp({ user, group }: AccountNames): Promise<Account> {
  // name:password:uid:gid:comment:home:shell
  const entry = await found("/etc/passwd", user);
  const uid = /^\d+$/.test(user) ? Number(user) : Number(entry?.[2] ?? Number.NaN);
  if (Number.isNaN(uid)) {
    throw new Unbuildable(`\`user\` is ${user}, and /etc/passwd has no such user; correct it, or write its number`);
  }
  const gid = group === undefined ? Number(entry?.[3] ?? Number.NaN) : await gidOf(group);
  if (Number.isNaN(gid)) {
    throw new Unbuildable(`\`user\` is ${user}, and /etc/passwd does not name its group; set \`group\` as well`);
  }
  return { uid, gid, home: entry?.[5] || undefined };
}

async function gidOf(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  // name:password:gid:members
  const gid = Number((await found("/etc/group", group))?.[2] ?? Number.NaN);
  if (!Number.isNaN(gid)) return gid;
  throw new Unbuildable(`\`group\` is ${group}, and /etc/group has no such group; correct it, or write its number`);
}

/** The fields of the entry with this name or number. */
async function found(file: string, nameOrNumber: string): Promise<readonly string[] | undefined> {
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  return lines.find(([name, , number]) => name === nameOrNumber || number === nameOrNumber);
}
