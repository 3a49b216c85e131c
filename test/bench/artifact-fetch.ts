// What the benchmark of artifacts fetches with: a job's workspace, and a bucket on loopback.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import "../../scripts/sources.mjs";

const ours = async (path: string): Promise<unknown> => import(new URL(`../../src/${path}`, import.meta.url).href);

/** A bucket with these files in a process of its own, as fast as it can or with a wait for every 256 KiB. */
export async function startBucket(
  waitMs: number,
  files: readonly string[],
): Promise<{ url: string; close: () => Promise<void> }> {
  const program = fileURLToPath(new URL("./artifact-bucket.ts", import.meta.url));
  const child = spawn(process.execPath, [program, String(waitMs), ...files], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [url] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), ended]);
  if (typeof url !== "string") throw new Error("the bucket did not start");
  return {
    url,
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** What the first job of a daemon loads. */
export async function loadS3(): Promise<void> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  await Promise.all([ours("artifacts/store.ts"), ours("artifacts/s3/transfers.ts")]);
  new S3Client({ region: "us-east-1" }).destroy();
}

/** How an input is had: the object alone, its folder while it comes, or the object and then its folder. */
export type FetchMode = "object" | "overlapped" | "one after the other";

/** Fetches an archive of the bucket into a job's folder below `target`. */
export async function fetchInput(call: {
  readonly url: string;
  readonly archive: string;
  readonly target: string;
  readonly mode: FetchMode;
}): Promise<void> {
  const { S3Store } = (await ours("artifacts/store.ts")) as typeof import("../../src/artifacts/store.ts");
  const { Secret } = (await ours("job/secret.ts")) as typeof import("../../src/job/secret.ts");
  const { systemClock: clock } = (await ours("std/clock.ts")) as typeof import("../../src/std/clock.ts");
  const { Proxies } = (await ours("std/proxies.ts")) as typeof import("../../src/std/proxies.ts");
  mkdirSync(call.target, { recursive: true });
  const store = new S3Store({
    folders: {
      make: async () => call.target,
      remove: async (folder) => rmSync(folder, { recursive: true, force: true }),
      close: async () => {},
    },
    space: {
      room: () => ({ isEnough: true }),
      reserve: async () => ({ wrote: () => {}, release: () => {} }),
      close: () => {},
    },
    endpoint: call.url,
    appId: "bench",
    proxies: Proxies.from({}),
    connectionTimeoutMs: 5_000,
    socketTimeoutMs: 20_000,
    requestTimeoutMs: 20_000,
    limits: {
      maxArchiveBytes: 2 ** 31,
      maxExtractedBytes: 2 ** 33,
      maxEntries: 200_000,
      maxRatio: 200,
      maxRatioFromBytes: 100 * 2 ** 20,
      maxLinks: 10_000,
      badLinks: "refuse",
    },
    retry: { minDelayMs: 100, maxDelayMs: 1_000, factor: 2, maxElapsedMs: 10_000 },
    clock,
    random: Math.random,
    onLeftover: () => {},
    onLinksLeftOut: () => {},
    onPartsLeft: () => {},
  });
  const credentials = {
    accessKeyId: new Secret("AKIDBENCH"),
    secretAccessKey: new Secret("any"),
    sessionToken: new Secret(""),
  };
  const location = { bucket: "bench", objectKey: basename(call.archive) };
  const job = {
    key: { region: "us-east-1", actionType: { category: "Test", owner: "Custom", provider: "Bench", version: "1" } },
    inputs: [{ name: "Source", location }],
    outputs: [],
    access: { credentials },
  };
  const workspace = store.open({
    job: job as never,
    receivedMs: clock.monotonic(),
    renewAccess: async () => undefined,
    keepSecrets: () => {},
    signal: new AbortController().signal,
  });
  if (call.mode !== "overlapped") await workspace.inputFile("Source");
  if (call.mode !== "object") await workspace.input("Source");
  await store.close();
}
