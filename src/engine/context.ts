// What the engine's parts share.
import type { Admission } from "./admission.js";
import type { Breakers } from "./breakers.js";
import type { CallBudgets } from "./call-budget.js";
import type { EngineDeps, EngineLimits, Scopes } from "./deps.js";
import type { Emit } from "./events.js";
import type { Flights } from "./flights.js";
import type { Gate } from "./gate.js";
import type { PollerConfig } from "./poller-config.js";
import type { TokenWaits } from "./token-waits.js";
import type { Turns } from "./turns.js";

export interface EngineContext {
  /** What must hold before a job is taken. */
  readonly gate: Gate;
  /** Which jobs may be acknowledged, as far as handlers and the machine are concerned. */
  readonly admission: Admission;
  /** The jobs in flight, so that none runs twice. */
  readonly flights: Flights;
  /** Which offers are taken now, as far as their customers are concerned. */
  readonly turns: Turns;
  /** How fast CodePipeline may be called while it throttles. */
  readonly budgets: CallBudgets;
  /** Which calls CodePipeline denies us. */
  readonly breakers: Breakers;
  /** Jobs that wait for a token source. */
  readonly tokenWaits: TokenWaits;
  readonly deps: EngineDeps;
  readonly limits: EngineLimits;
  readonly scopes: Scopes;
  readonly emit: Emit;
  readonly pollers: ReadonlyMap<string, PollerConfig>;
}
