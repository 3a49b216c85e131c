import { describe, expect, it } from "vitest";
import { failureOfExit, failureOfStart } from "../../../../src/handlers/command/exit-verdict.js";
import { WorkerFault } from "../../../../src/job/worker-fault.js";

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

  it.each([
    [137, "exited with 137 (its program was killed by SIGKILL) and"],
    [143, "exited with 143 (its program was killed by SIGTERM) and"],
    [128, "exited with 128 and"],
    [255, "exited with 255 and"],
  ])("says which signal a shell means by exit %i", (exitCode, words) => {
    expect(failureOfExit({ exitCode, exitSignal: null }, "")?.message).toContain(words);
  });

  it("names the signal, and adds the end of stderr", () => {
    const failure = failureOfExit({ exitCode: null, exitSignal: "SIGSEGV" }, "last words");
    expect(failure?.type).toBe("JobFailed");
    expect(failure?.message).toBe("the handler was killed by SIGSEGV\nlast words");
  });

  it("fails the job when nobody knows how the process ended", () => {
    expect(failureOfExit({ exitCode: null, exitSignal: null }, "")?.message).toContain("unknown cause");
  });
});

describe("what a program says of the machine", () => {
  it.each([
    ["/bin/sh: 1: Cannot fork", "EAGAIN"],
    ["sh: can't fork: Resource temporarily unavailable", "EAGAIN"],
    ["bash: fork: retry: Resource temporarily unavailable", "EAGAIN"],
    ["Error: spawn git EAGAIN", "EAGAIN"],
    ["RuntimeError: can't start new thread", "EAGAIN"],
    ["BlockingIOError: [Errno 11] Resource temporarily unavailable", "EAGAIN"],
    ["Error: EMFILE: too many open files, open 'x'", "EMFILE"],
    ["cat: x: Too many open files", "EMFILE"],
    ["head: error writing 'standard output': No space left on device", "ENOSPC"],
    ["tee: x: Disk quota exceeded", "EDQUOT"],
    ["sh: Cannot allocate memory", "ENOMEM"],
  ])("is not the customer's mistake: %s", (tail, code) => {
    const failure = failureOfExit({ exitCode: 1, exitSignal: null }, tail);
    expect(failure).toMatchObject({ type: "SystemUnavailable", where: "machine", code, isHearsay: true });
    expect(failure?.message).toContain(tail);
  });

  it.each([
    [78, "No space left on device", "ConfigurationError"],
    [1, "the fork of the repository cannot be merged", "JobFailed"],
    [1, "3 tests failed", "JobFailed"],
  ])("is the handler's own word with exit %i: %s", (exitCode, tail, type) => {
    expect(failureOfExit({ exitCode, exitSignal: null }, tail)).toMatchObject({ type, message: tail });
  });
});

describe("failureOfStart", () => {
  it.each([
    ["ENOENT", "SystemUnavailable", "handler"],
    ["EACCES", "SystemUnavailable", "handler"],
    ["EPERM", "SystemUnavailable", "handler"],
    ["E2BIG", "ConfigurationError", undefined],
    ["ENOTDIR", "SystemUnavailable", "handler"],
    ["EAGAIN", "SystemUnavailable", "machine"],
    ["ENOMEM", "SystemUnavailable", "machine"],
    ["EMFILE", "SystemUnavailable", "machine"],
    ["ENFILE", "SystemUnavailable", "machine"],
    ["ENOSPC", "SystemUnavailable", "machine"],
  ])("takes %s for %s, of the %s, and names it, but no path", (code, type, where) => {
    const failure = failureOfStart(systemError(code));
    expect(failure.type).toBe(type);
    expect(failure instanceof WorkerFault ? failure.where : undefined).toBe(where);
    expect(failure.message).toContain(code);
    expect(failure.message).not.toContain("/srv");
  });

  it("copes with something that is no system error", () => {
    expect(failureOfStart("no").message).toContain("unknown error");
  });
});
