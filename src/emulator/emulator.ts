// Starts an emulator: options, defaults, the control API, a scenario. Imports nothing of the daemon's side.
import { randomBytes } from "node:crypto";
import type { Clock } from "../std/clock.js";
import { systemClock } from "../std/clock.js";
import { Control } from "./control.js";
import type { Settings } from "./emulator-settings.js";
import { defaultSettings } from "./emulator-settings.js";
import { Emulator } from "./running.js";
import type { ScenarioDocument } from "./scenario-documents.js";
import type { Credentials } from "./signature.js";

export { Emulator };

/** What an emulator can be started with; everything has a default. */
export interface EmulatorOptions {
  /** Default 127.0.0.1: the emulator is not meant for networks. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Time for redelivery, timeouts, delays, latencies, signatures and Date headers. */
  readonly clock?: Clock;
  /** Makes faults with a probability repeatable. */
  readonly seed?: number;
  /** Given: signatures are checked, and only these credentials do. */
  readonly credentials?: Credentials;
  readonly settings?: Partial<Settings>;
  readonly scenario?: ScenarioDocument;
}

/** Starts an emulator. Throws Mistakes for wrong options, and when the port can not be had. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = new Emulator({
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    clock: options.clock ?? systemClock,
    seed: options.seed ?? randomBytes(4).readUInt32BE(),
    credentials: options.credentials,
    settings: { ...defaultSettings, ...options.settings },
    control: (running, closing) => {
      const control = new Control({ emulator: running, closing });
      return (request) => control.handle(request);
    },
  });
  if (options.settings) emulator.configure(options.settings);
  if (options.scenario) emulator.load(options.scenario);
  await emulator.listen();
  return emulator;
}
