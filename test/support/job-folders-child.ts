// A process with one job's folder, for a test that kills it: prints the folder, then lives until its standard input
// ends. Run from the sources: `node --import HOOK job-folders-child.ts WORKDIR`.
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { JobFolders } from "../../src/artifacts/job-folders.js";
import { systemClock } from "../../src/std/clock.js";

const folders = await JobFolders.open({
  workDir: process.argv[2] ?? "",
  clock: systemClock,
  closeMaxMs: 10_000,
  onTrouble: (text) => writeSync(2, `${text}\n`),
});
const folder = await folders.make();
writeFileSync(join(folder, "work"), "a customer's source");
writeSync(1, `${folder}\n`);
process.stdin.resume();
process.stdin.once("end", () => void folders.close().then(() => process.exit(0)));
