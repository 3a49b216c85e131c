// A handler as a module: a gate that holds a pipeline until the time in its configuration.
// In the configuration:  gate: { kind: module, path: ./examples/gate.js }

/** @type {import("partnerd").Handler} */
export async function handler(job) {
  const { OpensAt } = job.configuration;
  const opensAtMs = OpensAt === undefined ? 0 : Date.parse(OpensAt);

  if (Number.isNaN(opensAtMs)) {
    // The customer reads the message in the console: say what is wrong and what would be right.
    const message = `OpensAt is "${OpensAt}"; write a time such as 2026-12-24T18:00:00Z`;
    return { kind: "failed", type: "ConfigurationError", message };
  }

  if (Date.now() < opensAtMs) {
    // Never sit and wait: end this job, and CodePipeline offers a new one that carries the token.
    job.log.info("the gate is still closed", { opensAt: OpensAt });
    return { kind: "continued", continuationToken: `closed-until-${OpensAt}`, summary: `Closed until ${OpensAt}` };
  }

  return { kind: "succeeded", summary: "The gate is open" };
}
