// A replica in a process of its own, for a test that kills it: it says on its standard output, line by line, what it
// has begun and what it owes. Run from the sources: `node --import HOOK fleet-child.ts ORDER`.
import { writeSync } from "node:fs";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import type { Emulator } from "../../src/emulator/emulator.js";
import { startRig } from "./rig.js";

/** What the parent asks for. */
export interface FleetOrder {
  readonly url: string;
  readonly client: Emulator["defaultClient"];
  readonly ledger: DynamoLedgerConfig;
}

const order = JSON.parse(process.argv[2] ?? "{}") as FleetOrder;
// Of the parent's emulator a rig needs no more than this.
const emulator = { url: order.url, defaultClient: order.client, addActionType: () => {} };
const rig = await startRig({
  sharedEmulator: emulator as unknown as Emulator,
  config: { ledger: order.ledger },
  isHeld: true,
  handle: (job) =>
    job.jobId.startsWith("ends") ? { kind: "succeeded", summary: `made by the child` } : new Promise(() => {}),
});
const running = rig.run();
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
for (const id of ["ends", "runs"]) {
  await rig.event("job-started", (event) => event.key.jobId === id);
}
await rig.event("call-retried", (event) => event.key.jobId === "ends" && event.fault.operation.startsWith("Put"));
writeSync(1, "owes\n");
await running;
