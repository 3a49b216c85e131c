// Works one job of the action. It returns an outcome: succeeded, continued or failed.

/** @type {import("partnerd").Handler} */
export const handler = async (job) => {
  const { Target } = job.configuration;
  // The customer reads the message in the pipeline: say what is wrong, and what would be right.
  if (!Target) return { kind: "failed", type: "ConfigurationError", message: "Target is missing: what to build" };
  job.log.info("building", { target: Target });
  // The work. Inputs: await job.input("Source") is a folder; outputs: await job.output("Report", folder).
  // Stop when job.signal aborts. What takes longer than minutes returns { kind: "continued", continuationToken }.
  return { kind: "succeeded", summary: `built ${Target}` };
};
