// Short names: never the same for two things that are shown together.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idHtml, jobHref, shortId, shortIds, typeNames } from "../../../src/admin/short-names.js";

describe("an id", () => {
  it.each([
    ["cdcad7a0-1f2e-4b7c-9a55-0123456789ab", "cdcad7a0"],
    ["job-1", "job-1"],
    ["a-third-party-job-of-a-customer-000017", "a-th…000017"],
  ])("%s is shown as %s", (id, short) => {
    expect(shortId(id)).toBe(short);
  });

  it("is told apart from others that begin alike", () => {
    const ids = ["7d3c1f0a-5b2e-4c6d-9e8f-000000000001", "7d3c1f0a-5b2e-4c6d-9e8f-000000000002"];
    expect(ids.map(shortIds(ids))).toEqual(["7d3c…000001", "7d3c…000002"]);
  });

  it("has all of itself at hand, as text and in its link", () => {
    const id = `a/b?c#"<${"x".repeat(30)}`;
    const job = { jobId: id, region: "us-east-1" };
    const alone = { hasAccounts: false, hasRegions: false };
    expect(jobHref(job, alone)).toBe(`/jobs/${encodeURIComponent(id)}`);
    expect(jobHref({ ...job, jobId: "j", account: "shop" }, { ...alone, hasAccounts: true })).toBe(
      "/jobs/j?account=shop",
    );
    expect(jobHref({ ...job, jobId: "j" }, { ...alone, hasAccounts: true })).toBe("/jobs/j?account=default");
    const { text } = idHtml(id, "job id", jobHref(job, { ...alone, hasRegions: true }));
    expect(text).toContain(`title="a/b?c#&quot;&lt;${"x".repeat(30)}"`);
    expect(text).toContain("?region=us-east-1");
  });
});

describe("an action type", () => {
  it.each([
    [
      ["Custom/Deploy/Acme-Deploy/1", "ThirdParty/Test/Acme-Scan/1"],
      ["Acme-Deploy", "Acme-Scan"],
    ],
    [
      ["Custom/Deploy/Acme/1", "Custom/Deploy/Acme/2"],
      ["Acme 1", "Acme 2"],
    ],
    [
      ["Custom/Deploy/Acme/1", "Custom/Test/Acme/1"],
      ["Deploy Acme", "Test Acme"],
    ],
    [
      ["Custom/Deploy/Acme/1", "ThirdParty/Deploy/Acme/1"],
      ["Custom Acme", "ThirdParty Acme"],
    ],
  ])("of %j is shown as %j", (types, names) => {
    expect(types.map(typeNames(types))).toEqual(names);
  });

  it("never has the name of another", () => {
    const part = fc.constantFrom("A", "B", "1", "2", "A 1");
    const type = fc.tuple(part, part, part, part).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(fc.uniqueArray(type, { minLength: 1, maxLength: 12 }), (types) => {
        expect(new Set(types.map(typeNames(types))).size).toBe(types.length);
      }),
    );
  });
});
