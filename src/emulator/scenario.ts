// A scenario: everything an emulator can be told at once, told to it in an order in which each part finds what it needs.
import type { ScenarioDocument } from "./scenario-documents.js";
import { atPlace } from "./scenario-documents.js";

type Lists = Required<Omit<ScenarioDocument, "settings">>;

/** What takes each part of a scenario; the lists one document at a time. */
export type ScenarioTakers = {
  readonly [Name in keyof Lists]: (document: Lists[Name][number]) => unknown;
} & { readonly settings: (document: NonNullable<ScenarioDocument["settings"]>) => void };

/** Each needs what stands before it. */
const order = [
  "accounts",
  "buckets",
  "kmsKeys",
  "objects",
  "actionTypes",
  "clients",
  "jobs",
  "faults",
] as const satisfies readonly (keyof Lists)[];

/** Hands out a scenario whose shape was checked. Throws Mistakes, each with its place. */
export function loadScenario(scenario: ScenarioDocument, takers: ScenarioTakers): void {
  if (scenario.settings) takers.settings(scenario.settings);
  for (const name of order) {
    const take = takers[name] as (document: unknown) => unknown;
    for (const [index, document] of (scenario[name] ?? []).entries())
      atPlace(`${name}[${index}]`, () => take(document));
  }
}
