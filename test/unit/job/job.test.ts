import { describe, expect, it } from "vitest";
import {
  type AccountName,
  type ActionType,
  actionTypeName,
  type JobId,
  jobKeyName,
  placeFrom,
  placeName,
  placeOf,
  placeText,
  pollerName,
  type Region,
  typeKey,
} from "../../../src/job/job.js";

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

  const region = "eu-west-1" as Region;
  const places = [undefined, "shop", "eu-west-1", "s.h_o-p"].map((account) => placeOf({ account, region }));

  it("name a place, and find it again by that name", () => {
    expect(places.map(placeName)).toEqual(["eu-west-1", "shop@eu-west-1", "eu-west-1@eu-west-1", "s.h_o-p@eu-west-1"]);
    for (const place of places) expect(placeFrom(placeName(place))).toEqual(place);
    expect(places.map(placeText).slice(0, 2)).toEqual(["eu-west-1", "eu-west-1 (account shop)"]);
  });

  it("have no name for the account `default`: it is the one where none is named", () => {
    expect(placeOf({ account: "default", region })).toEqual({ region });
  });

  it("tell jobs, types and pollers of two accounts apart, whatever the job's id", () => {
    const ids = ["j", "eu-west-1/j", "shop@eu-west-1/j"] as JobId[];
    const names = places.flatMap((place) => ids.map((jobId) => jobKeyName({ ...place, jobId })));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(places.map((place) => typeKey({ ...place, actionType }))).size).toBe(places.length);
    const shop = { region, actionType, account: "shop" as AccountName, query: "Project=a" };
    expect(pollerName(shop)).toBe("shop@eu-west-1 ThirdParty/Test/Acme-Scan/1 Project=a");
  });
});
