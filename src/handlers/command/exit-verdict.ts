// What the end of a command means when it left no outcome document: the table from exit code, signal and start error
// to a failure. Pure. Messages name no path of this machine: the customer reads them.
import { constants } from "node:os";
import { type FailureType, JobFailure } from "../../job/failure.js";
import { heardFault, machineFault, WorkerFault } from "../../job/worker-fault.js";
import { codeOf } from "../../std/errors.js";

/** Exit codes with their own meaning, after sysexits.h; every other one but 0 is JobFailed. */
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
    return new JobFailure("JobFailed", `the handler was killed by ${exitSignal ?? "an unknown cause"}${said}`);
  }
  const type = typeByExitCode.get(exitCode) ?? "JobFailed";
  const heard = type === "JobFailed" ? heardFault(tail) : undefined;
  if (heard) return heard;
  if (tail !== "") return new JobFailure(type, tail);
  return new JobFailure(type, `the handler exited with ${exitCode}${signalIn(exitCode)} and printed nothing to stderr`);
}

/** A shell exits with 128 and the signal's number when the signal ended its program, as SIGKILL does without memory. */
function signalIn(exitCode: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128);
  return found ? ` (its program was killed by ${found[0]})` : "";
}

/** The failure of a command that could not be started. Only what a job brings with it is the customer's to correct. */
export function failureOfStart(error: unknown): JobFailure {
  const what = "the handler could not be started";
  const short = machineFault(error, what);
  if (short) return short;
  const code = codeOf(error) ?? "unknown error";
  if (code === "E2BIG" || code.startsWith("ERR_")) {
    const why = code === "E2BIG" ? "its arguments and environment are too large (E2BIG)" : code;
    return new JobFailure("ConfigurationError", `${what}: ${why}`, { cause: error });
  }
  return new WorkerFault("handler", `${what}: ${obstacle(code)}`, { code, cause: error });
}

function obstacle(code: string): string {
  switch (code) {
    case "ENOENT":
      return "its program, or the interpreter in its first line, does not exist (ENOENT)";
    case "EACCES":
    case "EPERM":
      return `its program cannot be executed (${code})`;
    default:
      return code;
  }
}
