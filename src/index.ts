// The package's public face: for handlers, what a job is and how to say what came of it; for programs that embed the
// worker, createWorker. Everything else is inside.
/// <reference types="node" preserve="true" />
export type { AwsCredentials, GivenCredentials } from "./codepipeline/client.js";
export { createWorker } from "./embed/create-worker.js";
export type {
  HandlerConfig,
  PartnerdWorker,
  StopOptions,
  WorkerConfig,
  WorkerEnd,
  WorkerOptions,
} from "./embed/partnerd-worker.js";
export { type ConfigurationMistake, WorkerConfigError, WorkerStartError } from "./embed/worker-errors.js";
export type { FailedCall, JobName, PartnerdEvent, PartnerdEventType, WorkerPollerName } from "./embed/worker-events.js";
export {
  type DefinedJob,
  defineHandler,
  type HandlerDefinition,
  type StandardSchema,
} from "./handlers/define-handler.js";
export type { Handler, HandlerJob, JobDocument, JobLogger } from "./handlers/handler.js";
export { type FailureType, JobFailure } from "./job/failure.js";
export {
  type Continued,
  type CurrentRevision,
  continued,
  type Failed,
  failed,
  type Outcome,
  type Succeeded,
  succeeded,
} from "./job/outcome.js";
