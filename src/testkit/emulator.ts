// The emulator for the tests of handlers and workers: a real HTTP API in the test's own process.

export type {
  ActionTypeDocument,
  ArtifactDocument,
  ClientDocument,
  JobsDocument,
  ScenarioDocument,
} from "../emulator/documents.js";
export { Mistakes } from "../emulator/documents.js";
export type { EmulatorOptions } from "../emulator/emulator.js";
export { Emulator, startEmulator } from "../emulator/emulator.js";
export type { Call, EmulatorEvent, Violation } from "../emulator/events.js";
export type { FaultDocument, FaultKind, FaultView } from "../emulator/faults.js";
export type { AcknowledgeEntry, Caller, JobStatus, JobView, ResultEntry } from "../emulator/job.js";
export type { Settings } from "../emulator/settings.js";
export type { WaitOptions } from "../emulator/waiting.js";
