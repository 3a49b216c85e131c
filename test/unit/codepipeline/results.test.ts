// An outcome becomes exactly the members that the Put…Result operations take: nothing empty, nothing besides.
import { describe, expect, it } from "vitest";
import { failureMembers, successMembers } from "../../../src/codepipeline/results.js";
import { continued, failed, outcomeFrom, succeeded } from "../../../src/job/outcome.js";

const revision = { revision: "r1", changeIdentifier: "c1" };

describe("a success", () => {
  it("is nothing but the job's id when there is nothing to tell", () => {
    expect(successMembers(succeeded())).toEqual({});
    expect(successMembers(succeeded({ summary: "", externalExecutionId: "" }))).toEqual({});
  });

  it("tells what was done and which revision came of it", () => {
    expect(
      successMembers(
        succeeded({
          summary: "s",
          externalExecutionId: "e",
          revision: { ...revision, created: "2026-01-02T03:04:05.678Z", summary: "rs" },
        }),
      ),
    ).toEqual({
      executionDetails: { summary: "s", externalExecutionId: "e" },
      currentRevision: {
        revision: "r1",
        changeIdentifier: "c1",
        created: new Date("2026-01-02T03:04:05.678Z"),
        revisionSummary: "rs",
      },
    });
  });

  it("leaves out what a revision does not have", () => {
    expect(successMembers(succeeded({ revision }))).toEqual({ currentRevision: revision });
    expect(successMembers(succeeded({ revision: { ...revision, summary: "" } }))).toEqual({
      currentRevision: revision,
    });
  });

  it("never carries output variables: the partner API knows none, the custom one takes them elsewhere", () => {
    expect(successMembers(succeeded({ outputVariables: { A: "1" } }))).toEqual({});
  });

  it("has a time that is a time, whatever way the handler wrote it", () => {
    for (const created of ["2026-01-02", "2026-01-02T02:00:00+02:00", new Date(0), 86_400_000]) {
      const outcome = outcomeFrom({ kind: "succeeded", revision: { ...revision, created } }, "Custom");
      if (outcome.kind !== "succeeded") throw new Error(`${created} was refused`);
      const sent = successMembers(outcome).currentRevision?.created;
      expect(sent?.getTime()).toBe(new Date(created).getTime());
    }
  });
});

describe("a continuation", () => {
  it("carries its token and how far it is", () => {
    expect(successMembers(continued("t", { percentComplete: 40, summary: "s", externalExecutionId: "e" }))).toEqual({
      continuationToken: "t",
      executionDetails: { summary: "s", externalExecutionId: "e", percentComplete: 40 },
    });
  });

  it("tells zero percent, which is not nothing", () => {
    expect(successMembers(continued("t", { percentComplete: 0 }))).toEqual({
      continuationToken: "t",
      executionDetails: { percentComplete: 0 },
    });
  });

  it("has no execution details when there are none", () => {
    expect(successMembers(continued("t"))).toEqual({ continuationToken: "t" });
  });
});

describe("a failure", () => {
  it("is its type and message, with the execution id when there is one", () => {
    expect(failureMembers(failed("no", { type: "PermissionError" }))).toEqual({
      failureDetails: { type: "PermissionError", message: "no" },
    });
    expect(failureMembers(failed("no", { externalExecutionId: "e" }))).toEqual({
      failureDetails: { type: "JobFailed", message: "no", externalExecutionId: "e" },
    });
    expect(failureMembers({ kind: "failed", type: "JobFailed", message: "no", externalExecutionId: "" })).toEqual({
      failureDetails: { type: "JobFailed", message: "no" },
    });
  });
});

describe("members", () => {
  it("hold no undefined: an absent member is absent", () => {
    const all = [successMembers(succeeded({ revision })), successMembers(continued("t")), failureMembers(failed("no"))];
    for (const members of all) {
      for (const inner of [members, ...Object.values(members)]) {
        if (typeof inner === "object") expect(Object.values(inner)).not.toContain(undefined);
      }
    }
  });
});
