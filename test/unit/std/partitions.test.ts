// Our table of partitions against the AWS SDK's.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { isAwsHost, partitionOf } from "../../../src/std/partitions.js";
import { knownRegions } from "../../../src/std/regions.js";

interface SdkPartition {
  readonly id: string;
  readonly regionRegex: string;
  readonly regions: Readonly<Record<string, unknown>>;
  readonly outputs: { readonly dnsSuffix: string; readonly dualStackDnsSuffix: string };
}

const core = dirname(createRequire(import.meta.url).resolve("@aws-sdk/core/package.json"));
const file = join(core, "dist-es/submodules/client/util-endpoints/lib/aws/partitions.js");
const { partitionsInfo } = (await import(pathToFileURL(file).href)) as {
  partitionsInfo: { partitions: readonly SdkPartition[] };
};

describe.each(partitionsInfo.partitions)("the partition $id", ({ id, regionRegex, regions, outputs }) => {
  it("has its Regions, and those alone", () => {
    const named = Object.keys(regions).filter((region) => new RegExp(regionRegex).test(region));
    expect(named.length).toBeGreaterThan(0);
    for (const region of named) expect([region, partitionOf(region)]).toEqual([region, id]);
    for (const region of knownRegions) {
      expect([region, partitionOf(region) === id]).toEqual([region, new RegExp(regionRegex).test(region)]);
    }
  });

  it.each([outputs.dnsSuffix, outputs.dualStackDnsSuffix])("answers under %s", (suffix) => {
    expect(isAwsHost(`codepipeline.x-y-1.${suffix}`)).toBe(true);
    expect(isAwsHost(`codepipeline.x-y-1.${suffix}.example.net`)).toBe(false);
    expect(isAwsHost(`not${suffix}`)).toBe(false);
  });
});
