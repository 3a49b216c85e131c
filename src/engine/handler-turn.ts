// A job that is ours waits until its handler may be given it: hardly ever for longer than others take to begin, and while
// the handler is broken for as long as the job has.
import { limitInWords } from "../job/end-texts.js";
import { type Failed, failed } from "../job/outcome.js";
import type { Deadline } from "../std/deadline.js";
import { following } from "../std/following.js";
import type { EngineContext } from "./context.js";
import type { JobInFlight } from "./in-flight.js";

/** False when the job ends first: by its deadline, a stop, an order, or because it is lost. */
export async function metHandler(context: EngineContext, flight: JobInFlight, deadline: Deadline): Promise<boolean> {
  const { start, slot } = flight;
  // A service that was promised an answer has the job already.
  if (!start || flight.callback || start.mayMeet()) return true;
  const until = following(context.scopes.work, flight.givenUp, flight.failing);
  const cancel = context.deps.clock.after(deadline.leftMs(), () => until.controller.abort());
  try {
    // Nobody knows how long that takes, and jobs of other handlers can use the slot.
    if (context.admission.handlerClosedBy(flight.config.handler, start)) slot.yield();
    return (await start.turn(until.signal)) && (slot.isWorking || (await slot.work(until.signal)));
  } finally {
    cancel();
    until[Symbol.dispose]();
  }
}

/** What the customer reads of a job that its handler was never given. */
export function neverBegun({ admission, deps }: EngineContext, { config }: JobInFlight): Failed {
  const why = admission.handlerClosedBy(config.handler)?.message ?? `handler ${config.handler} was busy with others`;
  const text = `the job could not begin within its limit of ${limitInWords(config.jobTimeoutMs)} (jobTimeout): ${why}`;
  return failed(deps.mask(text), { type: "SystemUnavailable" });
}
