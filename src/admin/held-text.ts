// What a stop says of the jobs that are held when it ends, and what becomes of them. Log and page say it in these words.
import type { StatusSnapshot } from "./status-snapshot.js";

/** Such as: 8 results owed; they are in the ledger, and the next start reports them. */
export function heldText({ owed, results, isDurable, isRead }: NonNullable<StatusSnapshot["end"]>): string {
  const unread = "the ledger was not read, and jobs that it holds stay in it";
  if (owed === 0) return isRead ? "all results reported" : unread;
  const unfinished = owed - results;
  const what = [
    ...(results > 0 ? [results === 1 ? "1 result owed" : `${results} results owed`] : []),
    ...(unfinished > 0 ? [unfinished === 1 ? "1 job unfinished" : `${unfinished} jobs unfinished`] : []),
  ].join(" and ");
  const [they, are, them] = owed === 1 ? ["it", "is", "it"] : ["they", "are", "them"];
  const next = isDurable
    ? `${they} ${are} in the ledger, and the next start ${unfinished > 0 ? "finishes" : "reports"} ${them}`
    : `the memory ledger loses ${them}, and CodePipeline waits until the action times out`;
  return isRead ? `${what}; ${next}` : `${what}; ${next}; ${unread}`;
}
