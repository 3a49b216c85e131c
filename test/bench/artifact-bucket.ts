// An S3 for the benchmark in a process of its own: the emulator, from the built program, with the files that its
// arguments name in one bucket; the first argument is a wait in ms for every 256 KiB, 0 for none. Prints its address;
// ends with its standard input.
import { basename } from "node:path";

const { startEmulator } = (await import(
  new URL("../../dist/testkit/index.js", import.meta.url).href
)) as typeof import("../../src/testkit/index.ts");
const emulator = await startEmulator();
const [waitMs, ...files] = process.argv.slice(2);
if (waitMs !== "0") emulator.fault({ kind: "slow-body", operations: ["GetObject"], ms: Number(waitMs) });
for (const file of files) emulator.artifacts.put({ bucket: "bench", key: basename(file), file });
console.log(emulator.url);
process.stdin.resume();
process.stdin.once("end", () => void emulator.close().then(() => process.exit(0)));
