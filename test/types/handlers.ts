// What must compile of the public types, and what must not: `npm run typecheck` is the test.
import { z } from "zod";
import {
  continued,
  defineHandler,
  failed,
  type Handler,
  JobFailure,
  type Outcome,
  succeeded,
} from "../../src/index.js";

// Plain objects, as docs/handlers.md shows them.
export const plain: Handler = async (job) => {
  const { OpensAt } = job.configuration;
  if (!OpensAt) return { kind: "failed", type: "ConfigurationError", message: "OpensAt is missing" };
  if (job.continuationToken === undefined) return { kind: "continued", continuationToken: `closed until ${OpensAt}` };
  return { kind: "succeeded", summary: "the gate is open" };
};

export const constructors: Handler = (job) => {
  if (job.draining.aborted) return continued("build-17", { percentComplete: 40 });
  if (job.inputs.length === 0) return failed("no input", "ConfigurationError");
  if (job.outputs.length > 1)
    return failed("too many outputs", { type: "ConfigurationError", externalExecutionId: "x" });
  if (job.clientId === "nobody") throw new JobFailure("PermissionError", "nobody may");
  return succeeded({ outputVariables: { Version: "1" } });
};

export const checked = defineHandler({
  configuration: z.object({ Level: z.coerce.number() }),
  run: ({ configuration }) => succeeded({ summary: (configuration.Level + 1).toFixed() }),
});

/** The token of one job is a plain text for the next. */
export const token: string | undefined = (continued("t") satisfies Outcome).continuationToken;

// @ts-expect-error A handler that forgets its outcome.
export const forgets: Handler = async () => {};
// @ts-expect-error No such kind.
export const kind: Handler = async () => ({ kind: "success" });
// @ts-expect-error No such failure type.
export const type: Handler = async () => failed("no", "Forbidden");
// @ts-expect-error A continuation needs its token.
export const tokenless: Handler = async () => ({ kind: "continued" });

export const untyped = defineHandler({
  configuration: z.object({ Level: z.coerce.number() }),
  // @ts-expect-error The schema has no such property.
  run: ({ configuration }) => succeeded({ summary: configuration.Other }),
});
