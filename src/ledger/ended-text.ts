// How an ended job is kept in a ledger's row, as one JSON text beside the row's key, and back again. What is read is
// checked: a row can be damaged or edited. Pure.
import { type EndedJob, type EndedKind, endedKinds, type JobStep } from "../job/ended.js";
import { failureTypes } from "../job/failure.js";
import type { ActionType, ClientId, JobKey } from "../job/job.js";
import type { EndedOutcome, JobEnd } from "../job/job-end.js";
import { type JobRecord, stepsOf } from "./record.js";

/** Bounds a row: these characters for a text that people read, those for a name. */
const textMax = 2_048;
const nameMax = 512;
/** More states than a job comes through. */
const stepsMax = 20;

/** The members of a JobEnd that are names. */
const names = ["handler", "pipelineName", "stageName", "actionName", "actionExecutionId", "cause"] as const;

/** The job of a record that has ended; none of one that ended without ever being ours. */
export function endedJob(key: JobKey, record: JobRecord): EndedJob | undefined {
  const { ended, lostReason, takenAtMs, sinceMs } = record;
  if (!ended) return undefined;
  return {
    ...bounded(ended.told),
    key,
    end: ended.end,
    ...(ended.end === "dropped" && lostReason ? { reason: lostReason } : {}),
    takenAtMs,
    endedAtMs: sinceMs,
    steps: stepsOf(record).slice(-stepsMax),
  };
}

function bounded({ message, outcome, ...told }: JobEnd): JobEnd {
  const short = Object.entries(told).map(([name, value]) => [name, typeof value === "string" ? cut(value) : value]);
  const { text, externalExecutionId: id } = outcome ?? {};
  return {
    ...(Object.fromEntries(short) as JobEnd),
    ...(message === undefined ? {} : { message: cut(message, textMax) }),
    ...(outcome === undefined
      ? {}
      : {
          outcome: {
            ...outcome,
            ...(text === undefined ? {} : { text: cut(text, textMax) }),
            ...(id === undefined ? {} : { externalExecutionId: cut(id) }),
          },
        }),
  };
}

function cut(text: string, max = nameMax): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

/** All of an ended job that its row's own fields do not say: Region, account, job id and the time of its end. */
export function endedText({ key: { actionType, clientId }, endedAtMs: _, ...job }: EndedJob): string {
  return JSON.stringify({ actionType, clientId, ...job });
}

/** The job of a row; `undefined`: no partnerd wrote that. */
export function endedFrom(
  row: { readonly key: Omit<JobKey, "actionType" | "clientId">; readonly endedAtMs: number },
  text: string,
): EndedJob | undefined {
  const { actionType, clientId, end, reason, takenAtMs, steps, ...told } = parsed(text);
  const type = actionTypeFrom(actionType);
  if (!type || !endedKinds.includes(end as EndedKind) || typeof takenAtMs !== "number") return undefined;
  return {
    ...toldFrom(told),
    key: { ...row.key, actionType: type, ...(typeof clientId === "string" ? { clientId: clientId as ClientId } : {}) },
    end: end as EndedKind,
    ...(typeof reason === "string" ? { reason: reason as EndedJob["reason"] & string } : {}),
    takenAtMs,
    endedAtMs: row.endedAtMs,
    steps: Array.isArray(steps) ? steps.filter(isStep).slice(-stepsMax) : [],
  };
}

function toldFrom(told: Fields): JobEnd {
  const known = names.flatMap((name) => (typeof told[name] === "string" ? [[name, told[name]]] : []));
  const { isContinuation, durationMs, attempts, message } = told;
  const outcome = outcomeOf(told["outcome"]);
  return {
    ...(Object.fromEntries(known) as JobEnd),
    ...(isContinuation === true ? { isContinuation } : {}),
    ...(typeof durationMs === "number" ? { durationMs } : {}),
    ...(typeof attempts === "number" ? { attempts } : {}),
    ...(typeof message === "string" ? { message } : {}),
    ...(outcome === undefined ? {} : { outcome }),
  };
}

function outcomeOf(value: unknown): EndedOutcome | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, type, text, percentComplete, externalExecutionId } = value as Fields;
  if (kind !== "succeeded" && kind !== "continued" && kind !== "failed") return undefined;
  const failure = failureTypes.find((each) => each === type);
  return {
    kind,
    ...(failure ? { type: failure } : {}),
    ...(typeof text === "string" ? { text } : {}),
    ...(typeof percentComplete === "number" ? { percentComplete } : {}),
    ...(typeof externalExecutionId === "string" ? { externalExecutionId } : {}),
  };
}

function actionTypeFrom(value: unknown): ActionType | undefined {
  const { owner, category, provider, version } = (value ?? {}) as Fields;
  if (owner !== "ThirdParty" && owner !== "Custom") return undefined;
  if (![category, provider, version].every((each) => typeof each === "string")) return undefined;
  return { owner, category, provider, version } as ActionType;
}

function isStep(value: unknown): value is JobStep {
  return Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "number";
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Fields) : {};
  } catch {
    // A damaged row is shown by nobody.
    return {};
  }
}
