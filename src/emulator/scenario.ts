// A scenario: everything an emulator can be told at once, told to it in an order in which each part finds what it needs.
import type {
  ActionTypeDocument,
  BucketDocument,
  ClientDocument,
  JobsDocument,
  KmsKeyDocument,
  ObjectDocument,
  ScenarioDocument,
} from "./documents.js";
import { within } from "./documents.js";
import type { Emulator } from "./emulator.js";
import type { FaultDocument } from "./faults.js";

/** Tells the emulator all of a scenario whose shape was checked. Throws Mistakes, each with its place. */
export function loadScenario(emulator: Emulator, scenario: ScenarioDocument): void {
  if (scenario.settings) emulator.configure(scenario.settings);
  const parts = [
    ["buckets", scenario.buckets, (document: BucketDocument) => emulator.artifacts.addBucket(document)],
    ["kmsKeys", scenario.kmsKeys, (document: KmsKeyDocument) => emulator.artifacts.setKmsKey(document)],
    ["objects", scenario.objects, (document: ObjectDocument) => emulator.artifacts.put(document)],
    ["actionTypes", scenario.actionTypes, (document: ActionTypeDocument) => emulator.addActionType(document)],
    ["clients", scenario.clients, (document: ClientDocument) => emulator.addClient(document)],
    ["jobs", scenario.jobs, (document: JobsDocument) => emulator.addJobs(document)],
    ["faults", scenario.faults, (document: FaultDocument) => emulator.fault(document)],
  ] as const;
  for (const [name, documents, add] of parts) {
    for (const [index, document] of (documents ?? []).entries()) {
      within(`${name}[${index}]`, () => (add as (document: unknown) => unknown)(document));
    }
  }
}
