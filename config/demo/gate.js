// A module handler: checks a score against a limit, in steps. The first two jobs of an action only say how far it
// is and hand over a continuation token; CodePipeline then offers a new job with that token.
export async function handler(job) {
  const { Limit = "80", Score = "90", Steps = "0" } = job.configuration;
  const step = Number(job.continuationToken ?? 0);
  if (step < Number(Steps)) {
    const percentComplete = Math.round((step / Number(Steps)) * 100);
    return { kind: "continued", continuationToken: String(step + 1), percentComplete, summary: `step ${step + 1}` };
  }
  if (Number(Score) < Number(Limit)) {
    return { kind: "failed", type: "JobFailed", message: `score ${Score} is below the limit of ${Limit}` };
  }
  return { kind: "succeeded", summary: `score ${Score} passes the limit of ${Limit}` };
}
