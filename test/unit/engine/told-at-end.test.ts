// What a ledger is told of a job that ends: names and masked texts, and nothing whose secrets nobody knew.
import { expect, it } from "vitest";
import { jobEnd } from "../../../src/engine/told-at-end.js";
import { continued, failed, succeeded } from "../../../src/job/outcome.js";
import { flightOver } from "../../support/flight.js";

const mask = (text: string) => text.replaceAll("hunter2", "[secret]");
const pipeline = { pipelineName: "shop", stageName: "Make", actionName: "Build", actionExecutionId: "e-1" };

it("names the handler, the action, the cause and the outcome as CodePipeline has it", async () => {
  const { flight } = await flightOver({});
  Object.assign(flight, { pipeline, endCause: "returned", durationMs: 12.4, isContinuation: true });
  const outcome = continued("hunter2", {
    percentComplete: 40,
    summary: "by hunter2",
    externalExecutionId: "x hunter2",
  });
  const told = { kind: "continued", percentComplete: 40, text: "by [secret]", externalExecutionId: "x [secret]" };
  expect(jobEnd(flight, { outcome, attempts: 3 }, mask)).toEqual({
    handler: "any",
    ...pipeline,
    cause: "returned",
    isContinuation: true,
    durationMs: 12,
    attempts: 3,
    outcome: told,
  });
});

it("tells neither tokens nor variables, nor an execution's id while the job's secrets are unknown", async () => {
  const { flight } = await flightOver({});
  const outcome = succeeded({ externalExecutionId: "hunter2", outputVariables: { Key: "hunter2" } });
  const end = { handler: "any", attempts: 1, outcome: { kind: "succeeded" } };
  expect(jobEnd(flight, { outcome, attempts: 1 }, mask)).toEqual(end);
});

it("tells the type and the message of a failure, and why a job was dropped", async () => {
  const { flight } = await flightOver({});
  const outcome = failed("no hunter2", "PermissionError");
  const { outcome: shown } = jobEnd(flight, { outcome, attempts: 1 }, mask);
  expect(shown).toEqual({ kind: "failed", type: "PermissionError", text: "no [secret]" });
  expect(jobEnd(flight, { message: "gone, hunter2" }, mask)).toEqual({ handler: "any", message: "gone, [secret]" });
});
