// What was recorded about a job, though its store may not have it yet: the same for every store that can fail. An
// acknowledge that is not written is not sent, so it is taken back; any later event has happened, written or not, and
// may be recorded again.
import { isOwed, type JobEvent } from "../job/lifecycle.js";
import { type JobRecord, recordAfter } from "./record.js";

/** The part of a job that is changed here. */
export interface Recording {
  /** The newest record. */
  told: JobRecord;
  /** The last event that could not be written, and the record that it would change: it may be recorded again. */
  missed: { readonly type: JobEvent["type"]; readonly before: JobRecord } | undefined;
}

/** What an event makes of a job. */
export interface Change {
  readonly type: JobEvent["type"];
  readonly before: JobRecord;
  readonly record: JobRecord;
  /** False before the acknowledgement: nothing is promised, and recovery would forget it. */
  readonly mustBeWritten: boolean;
}

/** The change by an event; nothing is changed yet. Throws when the event is illegal. */
export function changeBy({ told, missed }: Recording, event: JobEvent, nowMs: number): Change {
  const before = missed?.type === event.type ? missed.before : told;
  const record = recordAfter(before, event, nowMs);
  return { type: event.type, before, record, mustBeWritten: isOwed(before.state) || isOwed(record.state) };
}

/** Told; the write follows. */
export function tell(job: Recording, { record }: Change): void {
  job.missed = undefined;
  job.told = record;
}

/** The write failed. True when the change is taken back: the store must not have it. */
export function miss(job: Recording, { type, before, record }: Change): boolean {
  if (type !== "acknowledge-sent") {
    job.missed = { type, before };
    return false;
  }
  if (job.told === record) job.told = before;
  return true;
}
