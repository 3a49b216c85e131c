// What the engine tells of a job as it ends, for whoever asks later. Texts are masked before they come here, and no
// configuration value does. Pure.
import type { FailureType } from "./failure.js";

/** What the engine tells of a job as it ends. */
export interface JobEnd {
  readonly handler?: string;
  readonly pipelineName?: string;
  readonly stageName?: string;
  readonly actionName?: string;
  readonly actionExecutionId?: string;
  /** It continued what an earlier job of its action began. */
  readonly isContinuation?: true;
  /** What fixed the outcome: `returned`, `threw`, `timed-out`, … */
  readonly cause?: string;
  /** Of the handler's run in the process that ended it. */
  readonly durationMs?: number;
  /** How often the result was put until CodePipeline took it. */
  readonly attempts?: number;
  readonly outcome?: EndedOutcome;
  /** Why it was dropped. */
  readonly message?: string;
}

/** The outcome that CodePipeline has, as far as it is kept: neither tokens nor variables. */
export interface EndedOutcome {
  readonly kind: "succeeded" | "continued" | "failed";
  /** Of a failure. */
  readonly type?: FailureType;
  /** Its summary, or the failure's message. */
  readonly text?: string;
  readonly percentComplete?: number;
  readonly externalExecutionId?: string;
}
