import { describe, expect, it } from "vitest";
import { configOf, configsByKey, type PollerConfig, pollerKey } from "../../../src/engine/poller-config.js";
import type { ActionType, JobId, JobKey, Region } from "../../../src/job/job.js";

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };

function config(region: string, type: ActionType = actionType): PollerConfig {
  return {
    region: region as Region,
    actionType: type,
    group: "any",
    handler: "scan",
    maxConcurrentJobs: 1,
    jobTimeoutMs: 1_000,
    afterCrash: "fail",
    secretProperties: [],
  };
}

function keyIn(region: string, type: ActionType = actionType): JobKey {
  return { region: region as Region, actionType: type, jobId: "j" as JobId };
}

describe("a lane", () => {
  const pollers = new Map([config("us-east-1"), config("eu-west-1")].map((each) => [pollerKey(each), each]));

  it("is named by its Region and its action type", () => {
    expect(pollerKey(config("us-east-1"))).toBe("us-east-1 ThirdParty/Test/Acme-Scan/1");
  });

  it("is found for each job that came by it", () => {
    expect(configOf(pollers, keyIn("eu-west-1"))).toBe(pollers.get("eu-west-1 ThirdParty/Test/Acme-Scan/1"));
    expect(configOf(pollers, keyIn("us-east-1"))?.region).toBe("us-east-1");
  });

  it("is named by what it asks for too", () => {
    const names = [{ Project: "shop" }, { Project: "blog" }].map((queryParam) =>
      pollerKey({ ...config("us-east-1"), queryParam }),
    );
    expect(names).toEqual([
      "us-east-1 ThirdParty/Test/Acme-Scan/1 Project=shop",
      "us-east-1 ThirdParty/Test/Acme-Scan/1 Project=blog",
    ]);
  });

  it("is found for a job whichever value it came by, and not by a name that begins alike", () => {
    const queried = { ...config("us-east-1"), queryParam: { Project: "shop" } };
    const alike = { ...config("us-east-1", { ...actionType, version: "12" }), queryParam: { Project: "shop" } };
    const among = configsByKey([alike, queried, { ...queried, queryParam: { Project: "blog" } }]);
    expect(configOf(among, keyIn("us-east-1"))).toBe(queried);
    expect(configOf(configsByKey([alike]), keyIn("us-east-1"))).toBeUndefined();
  });

  it.each<readonly [string, JobKey]>([
    ["another Region", keyIn("ap-south-1")],
    ["another version", keyIn("us-east-1", { ...actionType, version: "2" })],
    ["another owner", keyIn("us-east-1", { ...actionType, owner: "Custom" })],
    ["another category", keyIn("us-east-1", { ...actionType, category: "Build" })],
  ])("is not found for a job of %s", (_what, key) => {
    expect(configOf(pollers, key)).toBeUndefined();
  });
});
