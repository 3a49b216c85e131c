// Whether every user of the machine can read a file: by its own mode, and by those of the folders above it.
import { stat } from "node:fs/promises";
import { dirname } from "node:path";

const othersMayRead = 0o004;
const othersMayEnter = 0o001;

/** The file's mode, such as `0644`, if every user can read it; `undefined`: not every user can, or it is unknown. */
export async function modeOpenToAll(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & othersMayRead) === 0) return undefined;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (((await stat(folder)).mode & othersMayEnter) === 0) return undefined;
      if (folder === dirname(folder)) break;
    }
    return (mode & 0o777).toString(8).padStart(4, "0");
  } catch {
    // The code that reads it reports what is wrong with it.
    return undefined;
  }
}
