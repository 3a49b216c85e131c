// Whether a file system distinguishes any two names. Linux's do; those of macOS and Windows, network shares, and folders
// that were set up so ignore case, Unicode form, or dots and spaces at the end. Asked of the disk: no list is complete.
import { closeSync, lstatSync, openSync, unlinkSync } from "node:fs";

const probe = "probe-\u00e9";
const others = [probe.toUpperCase(), probe.normalize("NFD"), `${probe}.`, `${probe} `];

/** Looks in this folder, which must be empty, and leaves it so. */
export function tellsNamesApart(folder: string): boolean {
  closeSync(openSync(`${folder}/${probe}`, "wx"));
  try {
    return others.every((name) => lstatSync(`${folder}/${name}`, { throwIfNoEntry: false }) === undefined);
  } finally {
    unlinkSync(`${folder}/${probe}`);
  }
}
