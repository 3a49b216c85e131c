// How many jobs may wait for a token source.
import { expect, it } from "vitest";
import { TokenWaits, tokenWaitsMax } from "../../../src/engine/token-waits.js";

it("lets so many jobs wait, and one more for each that ends", () => {
  const waits = new TokenWaits();
  for (let n = 0; n < tokenWaitsMax; n++) expect(waits.begin()).toBe(true);
  expect(waits.begin()).toBe(false);
  waits.end();
  expect(waits.waiting).toBe(tokenWaitsMax - 1);
  expect(waits.begin()).toBe(true);
  expect(waits.begin()).toBe(false);
});

it("lets none begin to wait in a single pass; those that wait may end", () => {
  const waits = new TokenWaits();
  expect(waits.begin()).toBe(true);
  waits.turnOff();
  expect(waits.begin()).toBe(false);
  waits.end();
  expect(waits.waiting).toBe(0);
});
