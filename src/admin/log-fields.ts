// What log lines about events share: the logger they are written to, the fields by which they are found, and what to do
// about a fault.

import type { PollerName } from "../engine/events.js";
import { actionTypeName, type JobKey, type Place } from "../job/job.js";
import type { Log } from "../std/log.js";

/** The part of a log that is used here. */
export type EventLogger = Omit<Log, "with">;

/** The fields by which every line of one job is found. */
export function jobFields(key: JobKey) {
  return {
    jobId: key.jobId,
    actionType: actionTypeName(key.actionType),
    ...placeFields(key),
    ...(key.clientId ? { clientId: key.clientId } : {}),
  };
}

/** The fields by which every line of one poller is found. */
export function pollerFields(poller: PollerName) {
  const { actionType, query } = poller;
  return { actionType: actionTypeName(actionType), ...placeFields(poller), ...(query === undefined ? {} : { query }) };
}

/**
 * A line without `account` is of the account `default`. It comes before the Region, and so before any field that a
 * handler adds.
 */
export function placeFields({ account, region }: Place) {
  return { ...(account === undefined ? {} : { account }), region };
}

/** What to do about a fault of this kind, in half a sentence. */
export function remedyFor(kind: string): string {
  switch (kind) {
    case "denied":
      return "check the credentials and the policy of this process, and its clock";
    case "misconfigured":
      return "check category, owner, provider, version and Region of the action type";
    case "rejected":
      return "check the action type's configuration";
    case "throttled":
      return "polling slows down";
    default:
      return "polling continues";
  }
}
