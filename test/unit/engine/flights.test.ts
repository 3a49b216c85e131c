import { expect, it } from "vitest";
import { Flights } from "../../../src/engine/flights.js";
import { flightOver } from "../../support/flight.js";

it("keeps the later flight of a job when the earlier one is taken out after the later one began", async () => {
  const [{ flight: earlier }, { flight: later }] = await Promise.all([flightOver({}), flightOver({})]);
  const flights = new Flights();
  flights.add(earlier);
  flights.add(later);
  flights.remove(earlier);
  expect(flights.get(later.key)).toBe(later);
  flights.remove(later);
  expect(flights.size).toBe(0);
});
