import { describe, expect, it } from "vitest";
import { type ActionType, actionTypeName, type JobId, jobKeyName, type Region } from "../../../src/job/job.js";

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };

describe("names", () => {
  it("writes an action type owner first", () => {
    expect(actionTypeName(actionType)).toBe("ThirdParty/Test/Acme-Scan/1");
  });

  it("tells apart action types that differ in one member only", () => {
    const others: readonly ActionType[] = [
      actionType,
      { ...actionType, category: "Build" },
      { ...actionType, owner: "Custom" },
      { ...actionType, provider: "Acme" },
      { ...actionType, version: "2" },
    ];
    expect(new Set(others.map(actionTypeName)).size).toBe(others.length);
  });

  it("names a job by Region and id, whoever the client is", () => {
    const key = { region: "eu-west-1" as Region, actionType, jobId: "j/1" as JobId };
    expect(jobKeyName(key)).toBe("eu-west-1/j/1");
    expect(jobKeyName({ ...key, region: "us-east-1" as Region })).not.toBe(jobKeyName(key));
  });
});
