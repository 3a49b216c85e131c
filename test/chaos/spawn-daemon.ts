// Starts a daemon of a chaos run as a process of its own, with nothing of this process's environment or credentials.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { sourceHook } from "../support/source-hook.js";
import type { ChildOrder } from "./daemon-child.js";

export type DaemonProcess = ChildProcessByStdio<Writable, Readable, null>;

/** All that the processes of a chaos run inherit. */
export const chaosEnvironment = {
  PATH: process.env["PATH"],
  AWS_ACCESS_KEY_ID: "AKIATESTTESTTESTTEST",
  AWS_SECRET_ACCESS_KEY: "test-secret-key-of-nobody",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** A child that speaks line by line on its standard output, and ends in good order when its standard input does. */
export function spawnDaemon(order: ChildOrder): DaemonProcess {
  const script = join(import.meta.dirname, "daemon-child.ts");
  const child = spawn(process.execPath, ["--import", sourceHook, script, JSON.stringify(order)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: chaosEnvironment,
  });
  // A child that died already reads no more: no fault of its own.
  child.stdin.on("error", () => {});
  return child;
}
