// The package export ./testkit, for the tests of handlers: one job in process; the emulator, a real HTTP API in the test's
// own process, artifacts included; and a worker for its jobs.
/// <reference types="node" preserve="true" />

export type { AccountDocument, AccountView, RoleDocument } from "../emulator/accounts.js";
export type {
  AcknowledgeEntry,
  Caller,
  JobStatus,
  JobView,
  OutputView,
  ResultEntry,
  UploadedArtifact,
} from "../emulator/emulated-job.js";
export type { EmulatorOptions } from "../emulator/emulator.js";
export { Emulator, startEmulator } from "../emulator/emulator.js";
export type { Call, EmulatorEvent, Violation } from "../emulator/emulator-events.js";
export type { Settings } from "../emulator/emulator-settings.js";
export type { FaultDocument, FaultKind, FaultView } from "../emulator/injected-faults.js";
export type { Artifacts, ObjectView, UploadView } from "../emulator/s3/stored-artifacts.js";
export type {
  ActionTypeDocument,
  ArtifactContent,
  ArtifactDocument,
  BucketDocument,
  ClientDocument,
  JobsDocument,
  KmsKeyDocument,
  ObjectDocument,
  RetryDocument,
  ScenarioDocument,
  StopDocument,
} from "../emulator/scenario-documents.js";
export { Mistakes } from "../emulator/scenario-documents.js";
export type { WaitOptions } from "../emulator/waiting.js";
export * from "./run-handler.js";
export { startWorker } from "./start-worker.js";
