// `partnerd doctor`: checks everything the configuration relies on, one line each, with the fix.
import { type LoadOptions, loadConfig } from "../config/load.js";
import { describeMistake } from "../config/mistakes.js";
import type { Finding } from "../doctor/finding.js";
import { oneLine } from "../std/one-line.js";
import { exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";

/** The exit code: 0, or 1 when anything failed; warnings are no failure. Throws ConfigError. */
export async function doctorCommand(
  options: LoadOptions,
  { json }: { readonly json: boolean },
  io: Io,
): Promise<number> {
  const { config, warnings } = await loadConfig(options);
  for (const warning of warnings) io.err(`warning: ${describeMistake(warning)}\n`);
  const [{ examine }, { createLog }, { Masker }, { systemClock }] = await Promise.all([
    import("../doctor/doctor.js"),
    import("../std/log.js"),
    import("../std/masking.js"),
    import("../std/clock.js"),
  ]);
  const masker = new Masker();
  const log = createLog({ level: "error", format: "pretty", masker, destination: { write: io.err } });
  const findings = await examine({ config, log, masker, clock: systemClock, environment: io.environment });
  for (const finding of findings) io.out(masker.mask(json ? `${JSON.stringify(finding)}\n` : lineOf(finding)));
  const failed = findings.filter(({ verdict }) => verdict === "failed").length;
  const warned = findings.filter(({ verdict }) => verdict === "warning").length;
  io.err(`${findings.length} checks: ${failed} failed, ${warned} with a warning\n`);
  return failed > 0 ? exitCodes.failed : exitCodes.ok;
}

function lineOf({ subject, verdict, message, remedy }: Finding): string {
  const remedyText = remedy === undefined ? "" : `; ${remedy}`;
  return `${verdict.padEnd(7)}  ${subject}: ${oneLine(message)}${remedyText}\n`;
}
