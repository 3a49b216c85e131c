// A program that embeds a worker with all that could outlive it: a thread, a ledger file, an admin port, a command. It
// says on stdout what a test asks for and ends by itself, once nothing of it runs any more. Run with the source hook.
import { createWorker, succeeded } from "../../src/index.js";

const [endpoint = "", folder = "", module = ""] = process.argv.slice(2);
const actionTypes = ["function", "module", "command"].map((provider) => ({
  category: "Build" as const,
  owner: "Custom" as const,
  provider,
  version: "1",
  handler: provider,
}));
const signals = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "exit",
  "uncaughtException",
  "unhandledRejection",
];
const listeners = () => signals.map((name) => `${name} ${process.listenerCount(name)}`).join(", ");
const uncaught: string[] = [];
process.on("uncaughtException", (error) => uncaught.push(error.message));
const before = listeners();

const worker = await createWorker({
  regions: ["us-east-1"],
  actionTypes,
  handlers: {
    function: () => succeeded(),
    module: { kind: "module", path: module },
    command: { kind: "command", command: ["/bin/true"] },
  },
  ledger: { path: `${folder}/ledger.db` },
  artifacts: { workDir: `${folder}/work`, minFreeBytes: "0B" },
  admin: { port: Number(process.env["ADMIN_PORT"]) },
  polling: { minInterval: "50ms", maxInterval: "100ms" },
  aws: { endpoint },
});
worker.on("worker-started", () => {
  throw new Error("a bug of the program's");
});
let reported = 0;
const done = new Promise<void>((resolve) => {
  worker.on("job-reported", () => {
    reported += 1;
    if (reported === 3) resolve();
  });
});
await worker.start();
const during = listeners();
await done;
const end = await worker.stop();
process.stdout.write(`${JSON.stringify({ before, during, after: listeners(), uncaught, end })}\n`);
