// What the end of a command means when it left no outcome document: the table from exit code, signal and start error
// to a failure. Pure. Messages name no path of this machine: the customer reads them.
import { type FailureType, JobFailure } from "../../job/failure.js";
import { codeOf } from "../../std/errors.js";

/** Exit codes with a meaning of their own, after sysexits.h; every other one but 0 is JobFailed. */
const typeByExitCode: ReadonlyMap<number, FailureType> = new Map([
  [75, "SystemUnavailable"],
  [77, "PermissionError"],
  [78, "ConfigurationError"],
]);

/** The failure that an exit stands for; `undefined` after exit 0. `tail` is the end of stderr. */
export function failureOfExit(
  exit: { readonly exitCode: number | null; readonly exitSignal: string | null },
  tail: string,
): JobFailure | undefined {
  const { exitCode, exitSignal } = exit;
  if (exitCode === 0) return undefined;
  if (exitCode === null) {
    const said = tail === "" ? "" : `\n${tail}`;
    return new JobFailure("JobFailed", `the handler was ended by ${exitSignal ?? "an unknown cause"}${said}`);
  }
  const type = typeByExitCode.get(exitCode) ?? "JobFailed";
  return new JobFailure(type, tail === "" ? `the handler exited with ${exitCode} and said nothing on stderr` : tail);
}

/** Errors of the system that pass by themselves. */
const passingCodes: ReadonlySet<string> = new Set(["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ENOSPC", "EDQUOT", "EIO"]);

/** The failure of a command that could not be started. */
export function failureOfStart(error: unknown): JobFailure {
  const code = codeOf(error) ?? "unknown error";
  if (passingCodes.has(code)) {
    return new JobFailure("SystemUnavailable", `the handler could not be started: ${shortage(code)}`, { cause: error });
  }
  return new JobFailure("ConfigurationError", `the handler could not be started: ${obstacle(code)}`, { cause: error });
}

function shortage(code: string): string {
  return `the worker's machine is short of processes, memory, files or space (${code})`;
}

function obstacle(code: string): string {
  switch (code) {
    case "ENOENT":
      return "its program, or the interpreter that its first line names, does not exist (ENOENT)";
    case "EACCES":
    case "EPERM":
      return `its program may not be executed (${code})`;
    case "E2BIG":
      return "its arguments and environment are too large (E2BIG)";
    default:
      return code;
  }
}
