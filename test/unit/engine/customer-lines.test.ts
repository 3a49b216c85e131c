// Who is given the next slot, against the plain way to find out: look at all lines anew for each.
import fc from "fast-check";
import { expect, it } from "vitest";
import { fewestFirst, inOrder, type Line } from "../../../src/engine/customer-lines.js";
import type { KeptOffer } from "../../../src/engine/kept-offers.js";
import type { JobId } from "../../../src/job/job.js";
import { key } from "../../support/flight.js";

interface Customer {
  readonly here: number;
  readonly most: number;
  readonly serials: readonly string[];
}

function linesOf(customers: readonly Customer[]): readonly Line[] {
  return customers.map(({ here, most, serials }, place) => {
    const counts = { all: here, here };
    const offers = serials.map((serial, index): [string, KeptOffer] => {
      const jobId = `${place}-${index}` as JobId;
      return [jobId, { key: { ...key, jobId }, client: String(place), serial: serial || undefined }];
    });
    return { place, counts, offers: inOrder(new Map(offers)), mayHaveMore: () => counts.here < most };
  });
}

function plainly(customers: readonly Customer[], most: number): readonly string[] {
  const taken = new Set<string>();
  const lines = customers.map((each, place) => ({ ...each, place, given: new Set<number>() }));
  const found: string[] = [];
  while (found.length < most) {
    const able = lines.flatMap((line) => {
      const has = line.here + line.given.size;
      const index = line.serials.findIndex((serial, at) => !line.given.has(at) && !taken.has(serial));
      return has < line.most && index >= 0 ? [{ line, has, index }] : [];
    });
    const [next] = able.sort((one, other) => one.has - other.has || one.line.place - other.line.place);
    if (!next) break;
    next.line.given.add(next.index);
    const serial = next.line.serials[next.index];
    if (serial) taken.add(serial);
    found.push(`${next.line.place}-${next.index}`);
  }
  return found;
}

it("gives each slot to whoever has the fewest in work then, of several to the first in line", () => {
  const customer = fc.record({
    here: fc.nat(3),
    most: fc.nat(5),
    serials: fc.array(fc.constantFrom("", "a", "b", "c"), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(customer, { maxLength: 6 }), fc.nat(12), (customers, most) => {
      const found = fewestFirst(linesOf(customers), most, new Set());
      expect(found.map(({ key: { jobId } }) => jobId)).toEqual(plainly(customers, most));
    }),
  );
});
