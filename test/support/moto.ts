// Another S3 than ours, to check one against the other: Python's moto, where this machine has it.
import { execFileSync, spawn } from "node:child_process";
import { freePort } from "./rig.js";

/** Whether `python3 -m moto.server` can be run here. */
export function hasMoto(): boolean {
  try {
    execFileSync("python3", ["-c", "import moto, flask"], { stdio: "ignore", timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

/** Starts moto's server; `close` stops it. Rejects when it does not answer within 30 s. */
export async function startMoto(): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const port = await freePort();
  const child = spawn("python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  for (const until = Date.now() + 30_000; Date.now() < until && child.exitCode === null; ) {
    const isUp = await fetch(`${url}/moto-api/`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return { url, close };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await close();
  throw new Error("moto's server did not begin to answer");
}
