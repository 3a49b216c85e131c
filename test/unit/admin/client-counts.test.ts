// What came of each client's jobs in the last hour, however many clients there are.
import { expect, it } from "vitest";
import { ClientBoard } from "../../../src/admin/client-counts.js";

const startMs = Date.UTC(2026, 0, 1, 2);

it("counts by client, and those that name none", () => {
  const board = new ClientBoard();
  board.count(startMs, "a", "succeeded");
  board.count(startMs + 400_000, "a", "failed");
  board.count(startMs, undefined, "dropped");
  expect(board.counts(startMs + 400_000)).toEqual([
    { clientId: "a", succeeded: 1, continued: 0, failed: 1, dropped: 0 },
    { clientId: undefined, succeeded: 0, continued: 0, failed: 0, dropped: 1 },
  ]);
});

it("forgets what is older than an hour, whether something happened since or not", () => {
  const board = new ClientBoard();
  board.count(startMs, "a", "failed");
  expect(board.counts(startMs + 3_600_000)).toHaveLength(1);
  expect(board.counts(startMs + 3_900_000)).toEqual([]);
  for (let at = 1; at < 40; at++) board.count(startMs + at * 300_000, "b", "failed");
  expect(board.counts(startMs + 39 * 300_000)).toMatchObject([{ clientId: "b", failed: 13 }]);
});

it("is bounded, whoever sends jobs", () => {
  const board = new ClientBoard();
  for (let at = 0; at < 5_000; at++) board.count(startMs, `client-${at}`, "failed");
  expect(board.counts(startMs)).toHaveLength(1_000);
});

it("counts on when the clock is set back", () => {
  const board = new ClientBoard();
  board.count(startMs, "a", "failed");
  board.count(startMs - 7_200_000, "a", "failed");
  expect(board.counts(startMs)).toMatchObject([{ failed: 2 }]);
});
