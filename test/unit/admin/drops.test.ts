// Which dropped jobs somebody should look at, and for how long they are shown.
import { describe, expect, it } from "vitest";
import { DropBoard } from "../../../src/admin/drops.js";
import type { AccountName, ActionType, ClientId, JobId, Region } from "../../../src/job/job.js";
import type { JobState, LostReason } from "../../../src/job/lifecycle.js";

const actionType: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const startMs = Date.UTC(2026, 0, 1, 2, 0);
const minuteMs = 60_000;

function dropped(reason: LostReason, from: JobState, atMs = startMs, clientId = "client-1") {
  const key = { region: "us-east-1" as Region, actionType, jobId: "1" as JobId, clientId: clientId as ClientId };
  return { type: "job-dropped", key, from, reason, message: "", atMs } as const;
}

describe("recent drops", () => {
  it.each<[LostReason, JobState, string | undefined]>([
    ["token-rejected", "polled", "token-rejected"],
    ["token-rejected", "running", "token-rejected"],
    ["gone", "settled", "lost-outcome"],
    ["over", "settled", "lost-outcome"],
    ["over", "running", "lost-outcome"],
    ["refused", "acknowledging", "refused"],
    ["denied", "acknowledging", "refused"],
    ["released", "running", undefined],
    ["taken-over", "running", undefined],
    ["not-ours", "acknowledging", undefined],
    ["gone", "polled", undefined],
    ["draining", "detailed", undefined],
    ["paused", "detailed", undefined],
    ["handler-broken", "detailed", undefined],
    ["machine-short", "detailed", undefined],
  ])("%s from %s: %s", (reason, from, kind) => {
    const board = new DropBoard();
    board.observe(dropped(reason, from));
    expect(board.recent(startMs).map((each) => each.kind)).toEqual(kind === undefined ? [] : [kind]);
  });

  it("are counted by client and kind, the newest first", () => {
    const board = new DropBoard();
    for (const minute of [0, 1, 2]) board.observe(dropped("token-rejected", "polled", startMs + minute * minuteMs));
    board.observe(dropped("token-rejected", "polled", startMs + 3 * minuteMs, "client-2"));
    board.observe(dropped("gone", "settled", startMs + 4 * minuteMs));
    const shown = board
      .recent(startMs + 5 * minuteMs)
      .map(({ kind, clientId, count, firstAtMs }) => [kind, clientId, count, (firstAtMs - startMs) / minuteMs]);
    expect(shown).toEqual([
      ["lost-outcome", "client-1", 1, 4],
      ["token-rejected", "client-2", 1, 3],
      ["token-rejected", "client-1", 3, 0],
    ]);
  });

  it("are counted apart for each account, and say whose they are", () => {
    const board = new DropBoard();
    for (const account of [undefined, "shop", "shop", "blog"]) {
      const { key, ...rest } = dropped("refused", "acknowledging");
      const { clientId: _, ...own } = key;
      board.observe({ ...rest, key: { ...own, ...(account ? { account: account as AccountName } : {}) } });
    }
    expect(board.recent(startMs).map(({ account, count }) => [account, count])).toEqual([
      ["blog", 1],
      ["shop", 2],
      [undefined, 1],
    ]);
  });

  it("are history after a quarter of an hour, and are counted anew then", () => {
    const board = new DropBoard();
    board.observe(dropped("token-rejected", "polled"));
    expect(board.recent(startMs + 15 * minuteMs)).toHaveLength(1);
    expect(board.recent(startMs + 15 * minuteMs + 1)).toEqual([]);
    board.observe(dropped("token-rejected", "polled", startMs + 20 * minuteMs));
    expect(board.recent(startMs + 20 * minuteMs)).toMatchObject([{ count: 1, firstAtMs: startMs + 20 * minuteMs }]);
  });

  it("of any number of clients take bounded room", () => {
    const board = new DropBoard();
    for (let n = 0; n < 1_000; n++) board.observe(dropped("token-rejected", "polled", startMs + n, `client-${n}`));
    const shown = board.recent(startMs + 1_000);
    expect([shown.length, shown[0]?.clientId, shown.at(-1)?.clientId]).toEqual([100, "client-999", "client-900"]);
  });
});
