// Plays runs of a fleet, one after the other, in a process of its own: told a seed, it answers the run's report. Its
// arguments name what the plans leave out.
import { startDynamo } from "../../support/dynamo.js";
import { runFleet } from "./run.js";

const dynamo = await startDynamo();
process.on("message", async (seed: number) => {
  process.send?.(await runFleet(seed, dynamo, process.argv.slice(2)));
});
process.once("disconnect", () => process.exit(0));
