// From an outcome to the members that the four Put…Result operations take; both flavours share them.
import type { CurrentRevision, ExecutionDetails, FailureDetails } from "@aws-sdk/client-codepipeline";
import type { Continued, Failed, Succeeded } from "../job/outcome.js";

/** What both success operations take besides the job's id and proof. */
export function successMembers(outcome: Succeeded | Continued): {
  currentRevision?: CurrentRevision;
  executionDetails?: ExecutionDetails;
  continuationToken?: string;
} {
  const percentComplete = outcome.kind === "continued" ? outcome.percentComplete : undefined;
  const executionDetails: ExecutionDetails = {
    ...(outcome.summary ? { summary: outcome.summary } : {}),
    ...(outcome.externalExecutionId ? { externalExecutionId: outcome.externalExecutionId } : {}),
    ...(percentComplete === undefined ? {} : { percentComplete }),
  };
  const revision = outcome.kind === "succeeded" ? outcome.revision : undefined;
  return {
    ...(Object.keys(executionDetails).length > 0 ? { executionDetails } : {}),
    ...(outcome.kind === "continued" ? { continuationToken: outcome.continuationToken } : {}),
    ...(revision
      ? {
          currentRevision: {
            revision: revision.revision,
            changeIdentifier: revision.changeIdentifier,
            ...(revision.created ? { created: new Date(revision.created) } : {}),
            ...(revision.summary ? { revisionSummary: revision.summary } : {}),
          },
        }
      : {}),
  };
}

/** What both failure operations take besides the job's id and proof. */
export function failureMembers(outcome: Failed): { failureDetails: FailureDetails } {
  return {
    failureDetails: {
      type: outcome.type,
      message: outcome.message,
      ...(outcome.externalExecutionId ? { externalExecutionId: outcome.externalExecutionId } : {}),
    },
  };
}
