// A daemon in a process of its own that fetches an input and unpacks it, for a test that kills it in the middle. Run
// from the sources: `node --import HOOK transfer-child.ts ORDER`.
import type { Emulator } from "../../src/emulator/emulator.js";
import { artifactsIn } from "./artifact-limits.js";
import { startRig } from "./rig.js";

/** What the parent asks for. */
export interface TransferOrder {
  readonly url: string;
  readonly client: Emulator["defaultClient"];
  readonly workDir: string;
}

const order = JSON.parse(process.argv[2] ?? "{}") as TransferOrder;
// Of the parent's emulator a rig needs no more than this.
const emulator = { url: order.url, defaultClient: order.client, addActionType: () => {} };
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
const rig = await startRig({
  sharedEmulator: emulator as unknown as Emulator,
  aws: { socketTimeoutMs: 60_000 },
  inFolder: () => ({
    artifacts: artifactsIn(order.workDir),
  }),
  handle: async (job) => {
    await job.input("Source");
    return { kind: "succeeded" };
  },
});
await rig.run();
