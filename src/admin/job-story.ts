// One job's story as a document: what `partnerd jobs show`, the admin port and a job's page tell of it. Its JSON Schema
// stands here too. It holds no secret: texts are masked before they come here, and values that nobody could mask are not
// shown. Times are ISO 8601.
import type { Outcome } from "../job/outcome.js";

/** The job story, version 1. Later versions may add members. */
export interface JobStory {
  readonly version: 1;
  /** Who tells it. A ledger knows no more than where the job stands. */
  readonly source: "daemon" | "ledger";
  readonly jobId: string;
  /** Its name in `accounts`; absent: the account `default`. */
  readonly account?: string;
  readonly region: string;
  readonly actionType: string;
  readonly clientId?: string;
  readonly handler?: string;
  readonly pipelineName?: string;
  readonly stageName?: string;
  readonly actionName?: string;
  readonly actionExecutionId?: string;
  /** It continues what an earlier job of its action began. */
  readonly isContinuation?: true;
  /** The action's configuration; what is secret is masked. Known to the daemon that worked it. */
  readonly configuration?: readonly StoryProperty[];
  readonly inputs?: readonly StoryArtifact[];
  readonly outputs?: readonly StoryArtifact[];
  /** Where it stands: a state of docs/state-machine.md, or `damaged`. */
  readonly state: string;
  readonly since?: string;
  /** When it was first taken, where an earlier process took it. */
  readonly takenAt?: string;
  /** When its handler is aborted. */
  readonly deadline?: string;
  /** The service's time for its callback. */
  readonly callbackUntil?: string;
  /** What an operator decided. */
  readonly order?: "fail" | "release";
  /** Its states in order. */
  readonly states: readonly StoryState[];
  /** The jobs of its action so far, in order, this one among them. */
  readonly chain: readonly StoryLink[];
  /** As CodePipeline gets it, or got it. */
  readonly outcome?: StoryOutcome;
  /** What fixed the outcome: `returned`, `threw`, `timed-out`, … */
  readonly cause?: string;
  readonly durationMs?: number;
  /** When CodePipeline accepted the outcome, and at which attempt. */
  readonly reported?: { readonly at: string; readonly attempts: number };
  /** Why it ended, or was left, without a result. */
  readonly end?: {
    readonly kind: "dropped" | "unfinished";
    readonly at: string;
    readonly reason: string;
    readonly message: string;
  };
  /** In a fleet's ledger: who has it. */
  readonly heldBy?: { readonly replica: string; readonly host?: string; readonly pid?: number };
  /** Its last log lines; `leftOut`: how many before them are not kept. */
  readonly log: { readonly lines: readonly StoryLine[]; readonly leftOut: number };
}

export interface StoryProperty {
  readonly name: string;
  readonly value: string;
}

export interface StoryArtifact {
  readonly name: string;
  /** Of its archive, as far as it was moved. */
  readonly bytes?: number;
}

export interface StoryState {
  readonly state: string;
  readonly at: string;
  /** Calls that failed in this state and were made again. */
  readonly retries: readonly StoryRetry[];
}

export interface StoryRetry {
  readonly operation: string;
  readonly failures: number;
  /** Of the last failure. */
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

export interface StoryLink {
  readonly jobId: string;
  readonly at: string;
  /** `running` until it has ended. */
  readonly end: "running" | "succeeded" | "continued" | "failed" | "dropped" | "unfinished";
  readonly percentComplete?: number;
}

export interface StoryLine {
  readonly at: string;
  readonly level: string;
  /** One of docs/log-events.md. */
  readonly event: string;
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** An outcome as it may be shown. */
export type StoryOutcome = {
  readonly kind: "succeeded" | "continued" | "failed";
  readonly outputVariables?: Readonly<Record<string, string>>;
} & Readonly<Record<string, unknown>>;

/** What stands for a value of which nobody knows whether it holds a secret. */
export const notShown = "[not shown]";
const valueMaxCharacters = 300;
const variablesMax = 50;

/**
 * An outcome as it may be shown. Its texts were masked when it was made; identifiers, tokens and variables went to
 * CodePipeline as the handler gave them, so they are masked here by `mask`; without one they are not shown.
 */
export function storyOutcome(outcome: Outcome, mask?: (text: string) => string): StoryOutcome {
  const shown = (value: string) => (mask ? cutText(mask(value), valueMaxCharacters) : notShown);
  const { kind, externalExecutionId } = outcome;
  const execution = externalExecutionId === undefined ? {} : { externalExecutionId: shown(externalExecutionId) };
  switch (kind) {
    case "failed":
      return { kind, type: outcome.type, message: outcome.message, ...execution };
    case "continued": {
      const { continuationToken, percentComplete, summary } = outcome;
      return {
        kind,
        ...(summary === undefined ? {} : { summary }),
        ...(percentComplete === undefined ? {} : { percentComplete }),
        continuationToken: shown(continuationToken),
        ...execution,
      };
    }
    case "succeeded": {
      const { summary, revision, outputVariables } = outcome;
      const variables = Object.entries(outputVariables ?? {}).slice(0, variablesMax);
      return {
        kind,
        ...(summary === undefined ? {} : { summary }),
        ...execution,
        ...(revision ? { revision: { ...revision, revision: shown(revision.revision) } } : {}),
        ...(outputVariables
          ? { outputVariables: Object.fromEntries(variables.map(([name, value]) => [name, shown(value)])) }
          : {}),
      };
    }
  }
}

/** A text within so many characters. */
export function cutText(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

const text = { type: "string" } as const;
const time = { type: "string", format: "date-time" } as const;
const number = { type: "number" } as const;

/** A closed object: the schema says all that this version has. */
function record(required: readonly string[], properties: object) {
  return { type: "object", required, properties, additionalProperties: false };
}

function all(names: readonly string[], each: object): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, each]));
}

/** JSON Schema of the job story. */
export const jobStorySchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "partnerd job story, version 1",
  description: "What `partnerd jobs show --json` prints and GET /jobs/ID answers. Later versions may add members.",
  ...record(["version", "source", "jobId", "region", "actionType", "state", "states", "chain", "log"], {
    version: { const: 1 },
    source: { enum: ["daemon", "ledger"] },
    ...all(["jobId", "account", "region", "actionType", "clientId", "handler", "state", "cause"], text),
    ...all(["pipelineName", "stageName", "actionName", "actionExecutionId"], text),
    isContinuation: { const: true },
    configuration: { type: "array", items: record(["name", "value"], { name: text, value: text }) },
    ...all(["inputs", "outputs"], { type: "array", items: record(["name"], { name: text, bytes: number }) }),
    ...all(["since", "takenAt", "deadline", "callbackUntil"], time),
    order: { enum: ["fail", "release"] },
    durationMs: number,
    states: {
      type: "array",
      items: record(["state", "at", "retries"], {
        state: text,
        at: time,
        retries: {
          type: "array",
          items: record(["operation", "failures", "code", "message", "at"], {
            operation: text,
            failures: number,
            code: text,
            message: text,
            at: time,
          }),
        },
      }),
    },
    chain: {
      type: "array",
      items: record(["jobId", "at", "end"], {
        jobId: text,
        at: time,
        end: { enum: ["running", "succeeded", "continued", "failed", "dropped", "unfinished"] },
        percentComplete: number,
      }),
    },
    outcome: {
      type: "object",
      required: ["kind"],
      properties: { kind: { enum: ["succeeded", "continued", "failed"] } },
    },
    reported: record(["at", "attempts"], { at: time, attempts: number }),
    end: record(["kind", "at", "reason", "message"], {
      kind: { enum: ["dropped", "unfinished"] },
      at: time,
      reason: text,
      message: text,
    }),
    heldBy: record(["replica"], { replica: text, host: text, pid: number }),
    log: record(["lines", "leftOut"], {
      lines: {
        type: "array",
        items: record(["at", "level", "event", "text"], {
          at: time,
          level: text,
          event: text,
          text,
          fields: { type: "object" },
        }),
      },
      leftOut: number,
    }),
  }),
};
