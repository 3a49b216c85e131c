// What the rules between settings look at.
import type { Draft } from "./config.js";
import type { Environment } from "./environment.js";
import type { Settings } from "./settings.js";

export type ActionType = Draft["actionTypes"][number];

/** A configuration that was read, before its rules are checked. */
export interface Checked {
  /** Of what was missing or wrong it has the default, or nothing: `settings` knows what can be relied upon. */
  readonly draft: Draft;
  /** Findings go there too. */
  readonly settings: Settings;
  readonly environment: Environment;
  /** The action types that could be looked at, by the prefixes of their settings. */
  readonly types: readonly (readonly [path: string, type: ActionType])[];
}
