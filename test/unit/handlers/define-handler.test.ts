import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { StandardSchema } from "../../../src/handlers/define-handler.js";
import type { HandlerJob } from "../../../src/handlers/handler.js";
import { defineHandler, failed, JobFailure, type Outcome, succeeded } from "../../../src/index.js";

interface Settings {
  readonly Target: string;
  readonly Level: number;
}

const libraries: readonly (readonly [string, StandardSchema<Settings>])[] = [
  ["zod", z.object({ Target: z.string().min(1), Level: z.coerce.number().int().max(9) })],
  [
    "valibot",
    v.object({
      Target: v.pipe(v.string(), v.minLength(1)),
      Level: v.pipe(v.string(), v.transform(Number), v.integer(), v.maxValue(9)),
    }),
  ],
];

const given = (configuration: Record<string, string>) => ({ configuration, jobId: "j-1" }) as unknown as HandlerJob;

describe.each(libraries)("defineHandler with a schema of %s", (_library, configuration) => {
  const handler = defineHandler({
    configuration,
    run: ({ configuration: { Target, Level }, jobId }) => succeeded({ summary: `${jobId} ${Target} ${Level + 1}` }),
  });

  it("hands the job over with its configuration as the schema makes it", async () => {
    expect(await handler(given({ Target: "main", Level: "4" }))).toEqual(succeeded({ summary: "j-1 main 5" }));
  });

  it("fails the job with every property that is wrong", async () => {
    const outcome = (await handler(given({ Target: "", Level: "12" }))) as Outcome & { kind: "failed" };
    expect(outcome).toMatchObject({ kind: "failed", type: "ConfigurationError" });
    expect(outcome.message).toMatch(/^the action's configuration is not valid: Target: .+; Level: .+/);
  });

  it("names a property that is missing", async () => {
    expect(await handler(given({ Level: "1" }))).toMatchObject({ message: expect.stringContaining("Target: ") });
  });
});

describe("defineHandler", () => {
  const issue = (n: number) => ({ message: "wrong", path: [{ key: "list" }, n] });
  const rejecting = (issues: readonly object[]): StandardSchema<never> => ({
    "~standard": { version: 1, vendor: "test", validate: async () => ({ issues: issues as never }) },
  });

  it("takes a schema that answers later, names nested properties, and stops counting at ten", async () => {
    const handler = defineHandler({
      configuration: rejecting(Array.from({ length: 12 }, (_, n) => issue(n))),
      run: () => succeeded(),
    });
    const { message } = (await handler(given({}))) as Outcome & { kind: "failed" };
    expect(message).toContain("list.0: wrong; list.1: wrong");
    expect(message).toMatch(/list\.9: wrong; and 2 more$/);
  });

  it("shows the message alone where no property is to blame", async () => {
    const handler = defineHandler({ configuration: rejecting([{ message: "either A or B" }]), run: () => succeeded() });
    expect(await handler(given({}))).toMatchObject({
      message: "the action's configuration is not valid: either A or B",
    });
  });
});

it("failed() and JobFailure take their type in one way", () => {
  expect(failed("no", "PermissionError")).toEqual({ kind: "failed", type: "PermissionError", message: "no" });
  expect(failed("no", { type: "PermissionError" })).toEqual(failed("no", "PermissionError"));
  expect(failed("no")).toMatchObject({ type: "JobFailed" });
  expect(new JobFailure("PermissionError", "no")).toMatchObject({ type: "PermissionError", message: "no" });
});
