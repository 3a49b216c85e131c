import { describe, expect, it } from "vitest";
import { failureFrom, isJobFailure } from "../../../src/job/failure.js";
import { machineFault, WorkerFault } from "../../../src/job/worker-fault.js";

describe("a fault of the worker", () => {
  it.each([
    ["EMFILE", "open files"],
    ["ENFILE", "open files"],
    ["EAGAIN", "processes or threads"],
    ["ENOMEM", "memory"],
    ["ENOSPC", "disk space"],
    ["EDQUOT", "disk space"],
  ])("%s says that the machine is out of %s", (code, lacking) => {
    const fault = machineFault(Object.assign(new Error("spawn x"), { code }), "the handler could not be started");
    expect(fault).toMatchObject({ where: "machine", code, type: "SystemUnavailable" });
    expect(fault?.message).toBe(
      `the handler could not be started: the worker's machine is out of ${lacking} (${code})`,
    );
  });

  it.each<[string, Error, string]>([
    ["a cause", new Error("x", { cause: Object.assign(new Error("y"), { code: "EMFILE" }) }), "EMFILE"],
    [
      "a thread",
      Object.assign(new Error("Worker initialization failure: EMFILE"), { code: "ERR_WORKER_INIT_FAILED" }),
      "EMFILE",
    ],
    ["a thread without a reason", Object.assign(new Error("failed"), { code: "ERR_WORKER_INIT_FAILED" }), "EAGAIN"],
    [
      "a module",
      Object.assign(new Error("Cannot read x: too many open files."), { code: "ERR_INVALID_PACKAGE_CONFIG" }),
      "EMFILE",
    ],
    [
      "rm, as Node 24 puts it",
      Object.assign(new Error(", Unknown error: Too many open files 'x'"), { errno: -4094, code: "" }),
      "EMFILE",
    ],
  ])("is seen in %s", (_what, error, code) => {
    expect(machineFault(error, "x")).toMatchObject({ where: "machine", code });
  });

  it.each([new Error("x"), Object.assign(new Error("x"), { code: "ENOENT" }), "EMFILE", undefined, { code: "EMFILE" }])(
    "is not seen in %s",
    (error) => {
      expect(machineFault(error, "x")).toBeUndefined();
    },
  );

  it("is a JobFailure, so that it becomes the job's result as it stands", () => {
    const fault = new WorkerFault("handler", "its service refuses connections", { code: "ECONNREFUSED" });
    expect(isJobFailure(fault)).toBe(true);
    expect(failureFrom(fault)).toEqual({ type: "SystemUnavailable", message: "its service refuses connections" });
  });
});
