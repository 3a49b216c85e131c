// A process that logs to its standard output as the daemon does, for a test that lets the log's reader stand still.
// Asked over IPC, it logs so many lines, answers at any time, and ends. `node --import HOOK log-child.ts`.
import { spawnSync } from "node:child_process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createLog } from "../../src/std/log.js";
import { openLogOutput } from "../../src/std/log-output.js";
import { Masker } from "../../src/std/masking.js";

export type LogChildRequest =
  | { readonly type: "log"; readonly lines: number }
  /** Starts a program that inherits the descriptor, as a module handler might. */
  | { readonly type: "share" }
  | { readonly type: "ping" }
  | { readonly type: "end"; readonly code: number };

export const secret = "hunter22-of-the-customer";
/** Every twentieth line is an error, every tenth a warning. */
export const levelOf = (n: number) => (n % 20 === 0 ? "error" : n % 10 === 0 ? "warn" : "info");

const filler = "x".repeat(1_000);
let logged = 0;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const masker = new Masker();
  masker.keep([secret]);
  const log = createLog({ level: "info", format: "json", masker, destination: openLogOutput(1, {}) });
  process.on("message", async (request: LogChildRequest) => {
    switch (request.type) {
      case "log":
        for (const end = logged + request.lines; logged < end; logged++) {
          log.at(levelOf(logged), "handler-log", { n: logged, filler }, `with ${secret}`);
          if (logged % 100 === 0) await nextTurn();
        }
        break;
      case "share":
        spawnSync("true", { stdio: "inherit" });
        break;
      case "ping":
        break;
      case "end":
        process.exit(request.code);
    }
    process.send?.(request.type);
  });
  process.send?.("ready");
}
