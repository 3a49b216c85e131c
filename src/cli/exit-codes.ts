// What the process says with its exit code; the same table as in docs/operating.md.

export const exitCodes = {
  /** Stopped; all results reported. */
  ok: 0,
  /** Could not start, or fatal error. */
  failed: 1,
  /** `once --job-outcome-status`: a job failed. */
  jobFailed: 3,
  /** Wrong command line. */
  usage: 64,
  /** A bug of ours. */
  bug: 70,
  /** Stopped while results are owed or jobs unfinished; a durable ledger has them. */
  owed: 75,
  /** The configuration is wrong. */
  configuration: 78,
} as const;

/** How a stop that met no bug ends. What an unread ledger holds nobody knows: then it is not said that nothing is. */
export function codeOfEnd({ owed, isRead }: { readonly owed: number; readonly isRead: boolean }): number {
  return owed > 0 || !isRead ? exitCodes.owed : exitCodes.ok;
}
