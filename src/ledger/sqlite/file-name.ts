// The one name of a ledger file. The lock and the write-ahead log lie beside the file and are found by its name, so two
// names for one file are two locks and two logs: links are followed, and what else gives a file two names is rejected.
import { lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { LedgerError } from "../ledger.js";

/** As in Linux. */
const linksMax = 40;

/** Where the file is or will be made, without links. Throws LedgerError when another name for it could be in use. */
export function onlyNameOf(path: string, mountsOf = mountPoints): string {
  const file = withoutLinks(path);
  const names = statSync(file, { throwIfNoEntry: false })?.nlink ?? 1;
  if (names > 1) {
    throw new LedgerError(
      "unwritable",
      `the ledger ${file} has ${names} names (hard links), and SQLite's log and locks belong to one name: ` +
        "remove the other names (find -samefile), or configure another path",
    );
  }
  if (mountsOf().includes(file)) {
    throw new LedgerError(
      "unwritable",
      `the ledger ${file} is mounted as a single file: the log and the lock beside it would stay outside, and jobs ` +
        "would be lost with the container; mount its folder instead",
    );
  }
  return file;
}

/** Follows links of the file and of its folders, also when the file itself is yet to be made. */
function withoutLinks(path: string): string {
  let file = path;
  for (let links = 0; links < linksMax; links++) {
    file = join(realFolder(dirname(file)), basename(file));
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return file;
    file = resolve(dirname(file), readlinkSync(file));
  }
  throw new LedgerError("unwritable", `the ledger ${path} is a link that leads in a circle: configure another path`);
}

function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Opening the file says what is wrong with its folder.
    return path;
  }
}

/** Linux's list; empty where there is none. */
function mountPoints(): readonly string[] {
  let list: string;
  try {
    list = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return [];
  }
  return list.split("\n").map((line) => unescaped(line.split(" ")[4] ?? ""));
}

/** The kernel writes space, tab, newline and backslash as octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
