import { expect, it } from "vitest";
import { fingerprints } from "../../../src/compose/fingerprint.js";
import type { Config } from "../../../src/config/config.js";
import { Secret } from "../../../src/job/secret.js";

const base = { admin: { port: 1, token: new Secret("one") }, worker: { maxConcurrentJobs: 5 } } as unknown as Config;

it("tells which section differs, a changed secret and an unlimited number included", () => {
  const changes: readonly [string, unknown][] = [
    ["admin", { ...base, admin: { ...base.admin, token: new Secret("two") } }],
    ["worker", { ...base, worker: { maxConcurrentJobs: Number.POSITIVE_INFINITY } }],
  ];
  for (const [section, changed] of changes) {
    const [now, then] = [fingerprints(base), fingerprints(changed as Config)];
    expect(Object.keys(then).filter((name) => now[name] !== then[name])).toEqual([section]);
  }
  const again = { ...base, admin: { port: 1, token: new Secret("one") } } as unknown as Config;
  expect(fingerprints(again)).toEqual(fingerprints(base));
});
