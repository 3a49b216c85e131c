// What an operator's form asks for, checked: which action, for which jobs, in which words. Everything in it comes from a
// browser and may be anybody's making. Pure.
import type { FailureType } from "../job/failure.js";
import { jobKeyName, placeFrom } from "../job/job.js";
import type { GivenJob } from "../job/meant.js";

/** What can be done. `fleet-…`: to every replica that shares the ledger. */
export const actionNames = ["pause", "resume", "wake", "fleet-pause", "fleet-resume", "fail", "release"] as const;
export type ActionName = (typeof actionNames)[number];

/** One job by its whole id. */
export type NamedJob = GivenJob & { readonly region: string };

export interface ActionForm {
  readonly action: ActionName;
  /** Of `fail` and `release`. */
  readonly jobs: readonly NamedJob[];
  /** Of `fail`: what the customer reads. */
  readonly message: string;
  readonly type: FailureType;
  /** The page to go back to. */
  readonly back: string;
}

export type GivenForm =
  | { readonly ok: true; readonly form: ActionForm }
  | { readonly ok: false; readonly problem: string };

/** So many jobs at once: more than a page shows, and done within a request. */
export const jobsMax = 500;
/** FailureDetails.message. */
export const messageMax = 5_000;
/** `ACCOUNT@REGION/ID`, ids of up to 512. */
const jobNameMax = 700;
const backMax = 500;

/** Each of CodePipeline's failure types, in an operator's words. */
export const failureTypeTexts: Readonly<Record<FailureType, string>> = {
  JobFailed: "the job itself failed",
  ConfigurationError: "the action's configuration is wrong",
  PermissionError: "a permission is missing",
  RevisionOutOfSync: "the revision is out of date",
  RevisionUnavailable: "the revision is not available",
  SystemUnavailable: "our service is not available",
};

/** The form, or what is wrong with it. */
export function formFrom(given: URLSearchParams): GivenForm {
  const action = actionNames.find((name) => name === given.get("do"));
  if (action === undefined) return { ok: false, problem: "no action was named" };
  const common = { action, message: "", type: "JobFailed", back: localPath(given.get("back")) } as const;
  if (action !== "fail" && action !== "release") return { ok: true, form: { ...common, jobs: [] } };
  const names = new Set(given.getAll("job"));
  if (names.size === 0) return { ok: false, problem: "no job was selected" };
  if (names.size > jobsMax) {
    return { ok: false, problem: `${names.size} jobs were selected; select at most ${jobsMax} at once` };
  }
  const jobs = [...names].map(jobFrom);
  if (!jobs.every((job) => job !== undefined)) return { ok: false, problem: "a job's name is not ACCOUNT@REGION/ID" };
  const type = given.get("type") ?? "JobFailed";
  if (!isFailureType(type)) return { ok: false, problem: "the failure type is not one of CodePipeline's" };
  const message = (given.get("message") ?? "").replaceAll("\r\n", "\n").trim();
  if (message.length > messageMax) {
    return { ok: false, problem: `the message is longer than ${messageMax} characters, CodePipeline's limit` };
  }
  return { ok: true, form: { ...common, jobs, message, type } };
}

/** How a form names a job. */
export function jobName({
  jobId,
  account,
  region,
}: {
  jobId: string;
  account?: string | undefined;
  region: string;
}): string {
  return jobKeyName({ ...placeFrom(account === undefined ? region : `${account}@${region}`), jobId: jobId as never });
}

function jobFrom(name: string): NamedJob | undefined {
  const at = name.indexOf("/");
  if (name.length > jobNameMax || at < 1 || at === name.length - 1) return undefined;
  const { region, account } = placeFrom(name.slice(0, at));
  if (region === "") return undefined;
  return { jobId: name.slice(at + 1), region, ...(account === undefined ? {} : { account }) };
}

function isFailureType(text: string): text is FailureType {
  return Object.hasOwn(failureTypeTexts, text);
}

/** A path on this port that a browser may be sent to, the first page for any other. */
export function localPath(given: string | null | undefined): string {
  const isLocal =
    given?.length !== undefined && given.length <= backMax && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(given);
  return isLocal ? given : "/";
}
