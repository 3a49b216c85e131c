// The filter of the overview as an address: what comes in by a link is cut and checked, and what goes out means the same.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  filterForm,
  filterFrom,
  isMeant,
  isNarrow,
  pathOf,
  queryOf,
  withWholeType,
} from "../../../src/admin/page-filter.js";
import { typeNames } from "../../../src/admin/short-names.js";

const from = (query: string) => filterFrom(new URLSearchParams(query));
const job = { clientId: "c1", actionType: "ThirdParty/Test/Acme-Scan/1", handler: "scan" };

describe("a filter", () => {
  it.each([
    ["", true],
    ["client=c1", true],
    ["client=c", true],
    ["client=c2", false],
    ["client=1", false],
    ["type=ThirdParty/Test/Acme-Scan/1", true],
    ["type=Acme-Scan", false],
    ["handler=scan&client=c1", true],
    ["handler=other&client=c1", false],
    ["handler=&client=", true],
  ])("%s lets a job through: %s", (query, is) => {
    expect(isMeant(from(query), job)).toBe(is);
  });

  it("is the same after a way through its own address, whatever it says", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom("client", "type", "handler", "failed", "each", "all", "refresh", "x"),
            fc.string({ unit: "binary" }),
          ),
        ),
        (pairs) => {
          const filter = filterFrom(new URLSearchParams(pairs));
          expect(filterFrom(new URLSearchParams(queryOf(filter)))).toEqual(filter);
        },
      ),
    );
  });

  it("by the short name of an action type is one by that type", () => {
    const types = ["Custom/Deploy/Acme-Deploy/1", "ThirdParty/Test/Acme-Scan/1"];
    const typeOf = (query: string) => withWholeType(from(query), types, typeNames(types)).type;
    expect(["type=Acme-Deploy", "type=ThirdParty/Test/Acme-Scan/1", "type=Acme", ""].map(typeOf)).toEqual([
      "Custom/Deploy/Acme-Deploy/1",
      "ThirdParty/Test/Acme-Scan/1",
      "Acme",
      undefined,
    ]);
  });

  it("is everything at /, and narrow only where it leaves something out", () => {
    expect(pathOf(from(""))).toBe("/");
    expect([from("all=1&refresh=off&each=1"), from("failed=1"), from("client=c")].map(isNarrow)).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("is cut: an address is no place for a book", () => {
    expect(from(`client=${"x".repeat(5_000)}`).client).toHaveLength(600);
  });
});

describe("its form", () => {
  const hostile = `"><script>alert(1)</script>`;
  const choices = { clients: [hostile], types: [hostile], handlers: ["scan"], names: (type: string) => type };

  it("keeps hostile texts what they are, and a chosen value that is not known any more", () => {
    const { text } = filterForm(from(`client=${encodeURIComponent(hostile)}&handler=gone`), choices);
    expect(text).not.toContain("<script");
    expect(text).toContain('<option value="gone" selected>gone</option>');
  });

  it("sends on what it has no field for", () => {
    expect(filterForm(from("all=1&refresh=off"), choices).text).toMatch(
      /name="all" value="1".*name="refresh" value="off"/,
    );
  });
});
