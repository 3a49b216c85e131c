import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { artifactEndpoint, openArtifacts } from "../../../src/artifacts/open-artifacts.js";
import { createLog } from "../../../src/std/log.js";
import { Masker } from "../../../src/std/masking.js";
import { Proxies } from "../../../src/std/proxies.js";
import { otherLimits } from "../../support/artifact-limits.js";
import { FakeClock } from "../../support/fake-clock.js";

it.each<[string | undefined, string | undefined, string | undefined]>([
  [undefined, undefined, undefined],
  ["http://s3.test", undefined, "http://s3.test"],
  ["http://s3.test", "https://codepipeline.us-east-1.amazonaws.com", "http://s3.test"],
  [undefined, "http://127.0.0.1:4599", "http://127.0.0.1:4599"],
  [undefined, "https://codepipeline.us-east-1.amazonaws.com", undefined],
  [undefined, "https://codepipeline-fips.us-gov-west-1.amazonaws.com/", undefined],
  [undefined, "https://codepipeline.eu-west-1.api.aws", undefined],
  [undefined, "https://codepipeline.cn-north-1.amazonaws.com.cn", undefined],
  [undefined, "https://codepipeline.eusc-de-east-1.amazonaws.eu", undefined],
  [undefined, "https://codepipeline.us-iso-east-1.c2s.ic.gov", undefined],
  [undefined, "https://vpce-1.codepipeline.us-east-1.vpce.amazonaws.com", undefined],
  [undefined, "http://amazonaws.com.example.net:80", "http://amazonaws.com.example.net:80"],
])("artifacts of endpoint %s beside CodePipeline at %s are at %s", (own, codePipeline, expected) => {
  expect(artifactEndpoint(own, codePipeline)).toBe(expected);
});

it("the work folder that somebody removed is made anew for us alone, and there is room in it", async () => {
  const base = mkdtempSync(join(tmpdir(), "partnerd-opening-"));
  const workDir = join(base, "work");
  const clock = new FakeClock();
  const retry = { minDelayMs: 1, maxDelayMs: 1, factor: 1, maxElapsedMs: 1 };
  const limits = { maxArchiveBytes: 1, maxExtractedBytes: 1, maxEntries: 1, ...otherLimits, minFreeBytes: 1 };
  const store = await openArtifacts({
    proxies: Proxies.from({}),
    settings: {
      artifacts: { workDir, ...limits, requestTimeoutMs: 1 },
      aws: { appId: "test", connectionTimeoutMs: 1, socketTimeoutMs: 1 },
      retry: { artifact: retry },
    },
    clock,
    log: createLog({ level: "error", format: "json", masker: new Masker(), destination: { write: () => {} } }),
  });
  try {
    rmSync(workDir, { recursive: true });
    await clock.advance(5_000);
    await expect.poll(() => statSync(workDir, { throwIfNoEntry: false })?.mode).toBe(0o40700);
    expect(store.room()).toEqual({ isEnough: true });
  } finally {
    await store.close();
    rmSync(base, { recursive: true, force: true });
  }
});
