// `partnerd healthcheck`: asks the admin port of a daemon on this machine, for Docker's HEALTHCHECK. Always answers
// within its limit, and works while the rest of the configuration is wrong: the daemon that runs read an earlier one.

import { loadAdminAddress } from "../config/admin-address.js";
import type { LoadOptions } from "../config/find-files.js";
import { ConfigError, printMistake } from "../config/mistakes.js";
import { reachableUrl } from "../std/addresses.js";
import { BoundedBytes } from "../std/bounded.js";
import { codeOf } from "../std/errors.js";
import { request } from "../std/node-http.js";
import { oneLine } from "../std/one-line.js";
import { exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";

/** Docker's own limit for a health check is 30 s by default; a daemon that is well answers in milliseconds. */
const healthcheckLimitMs = 3_000;
/** Enough for the reasons of a daemon that is not ready. */
const answerMaxBytes = 500;

/** The exit code: 0 healthy, 1 unhealthy, unreachable, or without a port to ask: Docker knows only these two. */
export async function healthcheck(
  options: LoadOptions,
  path: "/livez" | "/readyz",
  io: Pick<Io, "out" | "err">,
  limitMs: number = healthcheckLimitMs,
): Promise<number> {
  const address = await addressOf(options, io);
  if (!address) return exitCodes.failed;
  const { host, port } = address;
  if (port === 0) {
    io.err("unhealthy: the admin port is off (admin.port: 0), so the daemon cannot be asked\n");
    return exitCodes.failed;
  }
  const url = `${reachableUrl(host, port)}${path}`;
  try {
    const { status, text } = await ask(url, limitMs);
    if (status === 200) {
      io.out(`healthy: ${url} answered 200\n`);
      return exitCodes.ok;
    }
    io.err(`unhealthy: ${url} answered ${status}${text === "" ? "" : ` ${text}`}\n`);
  } catch (error) {
    io.err(`unhealthy: ${url} ${reason(error, limitMs)}\n`);
  }
  return exitCodes.failed;
}

async function addressOf(options: LoadOptions, io: Pick<Io, "err">) {
  try {
    return await loadAdminAddress(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const mistake of error.mistakes) io.err(printMistake(mistake));
    return undefined;
  }
}

function ask(url: string, limitMs: number): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    // One limit for connecting, waiting and reading; the signal ends the exchange wherever it stands.
    const call = request(url, { agent: false, signal: AbortSignal.timeout(limitMs) }, (response) => {
      const bytes = new BoundedBytes(answerMaxBytes);
      const done = () => {
        call.destroy();
        resolve({ status: response.statusCode ?? 0, text: oneLine(bytes.whole().toString("utf8")) });
      };
      response.on("data", (chunk: Buffer) => {
        if (!bytes.add(chunk)) done();
      });
      response.on("end", done);
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end();
  });
}

function reason(error: unknown, limitMs: number): string {
  const { name } = error as Error;
  const code = codeOf(error);
  if (name === "AbortError" || name === "TimeoutError") return `did not answer within ${limitMs} ms`;
  if (code === "ECONNREFUSED") return "refuses connections: no daemon is listening there";
  return `could not be asked (${code ?? name})`;
}
