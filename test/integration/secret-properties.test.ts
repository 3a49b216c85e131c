// Promise: a secret property is masked though nobody named it: by its name, or by what CodePipeline's action type says.
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ActionTypeConfig } from "../../src/config/config.js";
import type { FaultDocument } from "../../src/emulator/injected-faults.js";
import { custom, type Rig, startRig, thirdParty } from "../support/rig.js";

const values = { Licence: "licence-value", db_password: "password-value", Target: "target-value" };
const property = (name: string) => ({ name, required: false, key: false, secret: name === "Licence" });

/** A rig whose one action type marks `Licence`, and whose handler logs the whole configuration of its job. */
async function shownBy(
  type: typeof thirdParty | typeof custom,
  {
    lists = {},
    fault,
    work = (rig) => void rig.run(),
  }: {
    readonly lists?: Partial<ActionTypeConfig>;
    readonly fault?: FaultDocument;
    readonly work?: (rig: Rig) => void;
  } = {},
): Promise<{ readonly rig: Rig; readonly shown: string }> {
  const rig = await startRig({
    isHeld: true,
    actionTypes: [{ ...type, ...lists }],
    handle: (job) => {
      job.log.info(Object.values(job.configuration).join(" "));
      return { kind: "succeeded" };
    },
  });
  rig.emulator.addActionType({ ...type, properties: Object.keys(values).map(property) });
  if (fault) rig.emulator.fault(fault);
  const id = rig.emulator.addJob({ actionType: type, configuration: values });
  work(rig);
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  return { rig, shown: String(rig.logs.find(({ msg }) => String(msg).includes("target-value"))?.["msg"]) };
}

it.each([thirdParty, custom])("$owner types: by its name and by the type's mark", async (type) => {
  const { rig, shown } = await shownBy(type);
  await using _ = rig;
  expect(shown).toBe("[secret] [secret] target-value");
});

it.each([thirdParty, custom])("$owner types: as well in a single pass", async (type) => {
  const work = ({ daemon }: Rig) => void daemon.worker.once({ idleEndMs: 0, maxJobs: 1 });
  const { rig, shown } = await shownBy(type, { work });
  await using _ = rig;
  expect(shown).toBe("[secret] [secret] target-value");
});

it("a stop does not wait for what a type marks, and knows what the ledger holds", async () => {
  const ledger = (folder: string) => ({ store: "sqlite", path: join(folder, "ledger.db") }) as const;
  const inFolder = (folder: string) => ({ ledger: ledger(folder) });
  await using rig = await startRig({ isHeld: true, actionTypes: [thirdParty], inFolder });
  rig.emulator.fault({ kind: "black-hole", operations: ["GetActionType"] });
  void rig.run();
  await rig.emulator.waitFor(() => rig.emulator.calls()["GetActionType"] !== undefined);
  expect(await rig.stop()).toMatchObject({ owed: 0, isRead: true });
});

it.each([thirdParty, custom])("$owner types: not what notSecretProperties takes out", async (type) => {
  const { rig, shown } = await shownBy(type, { lists: { notSecretProperties: ["Licence", "db_password"] } });
  await using _ = rig;
  expect(shown).toBe("licence-value password-value target-value");
});

it.each([thirdParty, custom])(
  "$owner types: without leave to ask, by its name alone, and the log says so",
  async (type) => {
    const operations = ["GetActionType", "ListActionTypes"];
    const { rig, shown } = await shownBy(type, { fault: { kind: "error", code: "AccessDeniedException", operations } });
    await using _ = rig;
    expect(shown).toBe("licence-value [secret] target-value");
    const said = rig.logs.filter(({ msg }) => String(msg).includes("mark as secret"));
    expect(said).toEqual([expect.objectContaining({ level: "info", region: "us-east-1" })]);
  },
);
