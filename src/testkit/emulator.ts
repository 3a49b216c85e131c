// The emulator for the tests of handlers and workers: a real HTTP API in the test's own process, artifacts included.

export type {
  ActionTypeDocument,
  ArtifactContent,
  ArtifactDocument,
  BucketDocument,
  ClientDocument,
  JobsDocument,
  KmsKeyDocument,
  ObjectDocument,
  ScenarioDocument,
} from "../emulator/documents.js";
export { Mistakes } from "../emulator/documents.js";
export type { EmulatorOptions } from "../emulator/emulator.js";
export { Emulator, startEmulator } from "../emulator/emulator.js";
export type { Call, EmulatorEvent, Violation } from "../emulator/events.js";
export type { FaultDocument, FaultKind, FaultView } from "../emulator/faults.js";
export type {
  AcknowledgeEntry,
  Caller,
  JobStatus,
  JobView,
  OutputView,
  ResultEntry,
  UploadedArtifact,
} from "../emulator/job.js";
export type { Artifacts, ObjectView, UploadView } from "../emulator/s3/artifacts.js";
export type { Settings } from "../emulator/settings.js";
export type { WaitOptions } from "../emulator/waiting.js";
