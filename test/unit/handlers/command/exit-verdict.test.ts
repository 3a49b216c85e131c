import { describe, expect, it } from "vitest";
import { failureOfExit, failureOfStart } from "../../../../src/handlers/command/exit-verdict.js";

function systemError(code: string): Error {
  return Object.assign(new Error(`spawn /srv/acme/build.sh ${code}`), { code });
}

describe("failureOfExit", () => {
  it("finds no failure in exit 0", () => {
    expect(failureOfExit({ exitCode: 0, exitSignal: null }, "warnings")).toBeUndefined();
  });

  it.each([
    [1, "JobFailed"],
    [2, "JobFailed"],
    [75, "SystemUnavailable"],
    [76, "JobFailed"],
    [77, "PermissionError"],
    [78, "ConfigurationError"],
    [137, "JobFailed"],
    [255, "JobFailed"],
  ])("takes exit %i for %s, with the end of stderr as the message", (exitCode, type) => {
    expect(failureOfExit({ exitCode, exitSignal: null }, "the end of stderr")).toMatchObject({
      name: "JobFailure",
      type,
      message: "the end of stderr",
    });
  });

  it("names the exit code when stderr is empty", () => {
    expect(failureOfExit({ exitCode: 4, exitSignal: null }, "")?.message).toContain("exited with 4");
  });

  it("names the signal, and adds the end of stderr", () => {
    const failure = failureOfExit({ exitCode: null, exitSignal: "SIGSEGV" }, "last words");
    expect(failure?.type).toBe("JobFailed");
    expect(failure?.message).toBe("the handler was ended by SIGSEGV\nlast words");
  });

  it("fails the job when nobody knows how the process ended", () => {
    expect(failureOfExit({ exitCode: null, exitSignal: null }, "")?.message).toContain("unknown cause");
  });
});

describe("failureOfStart", () => {
  it.each([
    ["ENOENT", "ConfigurationError"],
    ["EACCES", "ConfigurationError"],
    ["EPERM", "ConfigurationError"],
    ["E2BIG", "ConfigurationError"],
    ["ENOTDIR", "ConfigurationError"],
    ["EAGAIN", "SystemUnavailable"],
    ["ENOMEM", "SystemUnavailable"],
    ["EMFILE", "SystemUnavailable"],
    ["ENFILE", "SystemUnavailable"],
    ["ENOSPC", "SystemUnavailable"],
  ])("takes %s for %s and names it, but no path", (code, type) => {
    const failure = failureOfStart(systemError(code));
    expect(failure.type).toBe(type);
    expect(failure.message).toContain(code);
    expect(failure.message).not.toContain("/srv");
  });

  it("copes with something that is no system error", () => {
    expect(failureOfStart("no").message).toContain("unknown error");
  });
});
