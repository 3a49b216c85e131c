// The package's public face for handlers: what a job is, and how to say what came of it. Everything else is inside.
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
