import fc from "fast-check";
import { expect, it } from "vitest";
import { type KeptOffer, KeptOffers } from "../../../src/engine/kept-offers.js";
import type { JobId, Nonce, Region } from "../../../src/job/job.js";

function offer(client: string, name: string, more: Partial<KeptOffer> = {}): KeptOffer {
  const actionType = { category: "Test", owner: "ThirdParty", provider: "P", version: "1" } as const;
  return { key: { region: "us-east-1" as Region, actionType, jobId: name as JobId }, client, ...more };
}

const idsOf = (kept: KeptOffers, poller: string, client: string) =>
  [...(kept.of(poller).get(client)?.values() ?? [])].map(({ key }) => key.jobId);

it("keeps each client's offers in their order, and a repeat in its place with its newer nonce", () => {
  const kept = new KeptOffers();
  for (const name of ["1", "2", "3"]) kept.keep("p", offer("a", name, { nonce: "old" as Nonce, serial: "s" }));
  kept.keep("p", offer("a", "1", { nonce: "new" as Nonce }));
  expect(idsOf(kept, "p", "a")).toEqual(["1", "2", "3"]);
  expect(kept.of("p").get("a")?.values().next().value).toMatchObject({ nonce: "new", serial: "s" });
  kept.remove("p", offer("a", "2"));
  kept.remove("p", offer("a", "2"));
  expect([kept.size, kept.count("p"), idsOf(kept, "p", "a")]).toEqual([2, 2, ["1", "3"]]);
});

it("has no room taken up by one client: who has the most gives up its newest", () => {
  const kept = new KeptOffers(4);
  for (const name of ["1", "2", "3", "4"]) expect(kept.keep("p", offer("flood", name))).toBe(true);
  expect(kept.keep("p", offer("flood", "5"))).toBe(false);
  expect(kept.keep("q", offer("other", "6"))).toBe(true);
  expect([idsOf(kept, "p", "flood"), idsOf(kept, "q", "other")]).toEqual([["1", "2", "3"], ["6"]]);
});

it("never keeps more than its limit, and counts what it keeps, whatever comes and goes", () => {
  const step = fc.record({
    do: fc.constantFrom("keep", "keep", "keep", "remove", "forget"),
    poller: fc.constantFrom("p", "q"),
    client: fc.constantFrom("a", "b", "c"),
    name: fc.integer({ min: 0, max: 12 }).map(String),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const kept = new KeptOffers(7);
      for (const { do: what, poller, client, name } of steps) {
        if (what === "keep") kept.keep(poller, offer(client, name));
        else if (what === "remove") kept.remove(poller, offer(client, name));
        else if (name === "0") kept.forget(poller);
        const pollers = [...kept.pollers()];
        expect(kept.size).toBeLessThanOrEqual(7);
        expect(kept.size).toBe(pollers.reduce((sum, each) => sum + kept.count(each), 0));
        expect(pollers.every((each) => kept.count(each) > 0)).toBe(true);
      }
    }),
  );
});
