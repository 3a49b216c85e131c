// The fleet's page in each of its states, and whatever replicas write into their rows shown as text.
import { describe, expect, it } from "vitest";
import { type FleetView, fleetBody, fleetSections } from "../../../src/admin/fleet-page.js";
import type { FleetJobs } from "../../../src/admin/fleet-watch.js";
import {
  noteFrom,
  noteText,
  pausedBy,
  pauseText,
  type ReplicaNote,
  type SeenFleet,
  type SeenReplica,
} from "../../../src/job/fleet.js";
import type { JobKey } from "../../../src/job/job.js";

const atMs = Date.UTC(2026, 5, 1, 12);
const note: ReplicaNote = {
  version: "1.2.3",
  state: "working",
  slotsMax: 10,
  slotsHeld: 3,
  jobs: 4,
  owed: 1,
  startedAtMs: atMs - 60_000,
};
const replica = (more: Partial<SeenReplica> = {}): SeenReplica => ({
  replica: "r-1",
  isSelf: false,
  isGone: false,
  silentMs: 2_000,
  host: "a",
  pid: 7,
  note,
  ...more,
});
const none: FleetJobs = { from: 0, jobs: [], count: 0, isCut: false, atMs };

function view(fleet: SeenFleet | undefined, jobs: FleetJobs = none): FleetView {
  const status = { atMs, startedAtMs: atMs, isPaused: false, ...(fleet === undefined ? {} : { fleet }) };
  return { status: status as unknown as FleetView["status"], store: "sqlite", jobs };
}

const headline = (fleet: SeenFleet) =>
  /<h1>(.*?)<\/h1>/.exec(fleetSections(view(fleet), true).get("fleet-state")?.() ?? "")?.[1];

describe("the fleet's page", () => {
  it.each<[string, SeenFleet, string]>([
    ["all at work", { ageMs: 10, replicas: [replica({ isSelf: true }), replica()] }, "2 replicas: 2 at work"],
    [
      "each in another state",
      {
        ageMs: 10,
        replicas: [
          replica(),
          replica({ isGone: true }),
          replica({ note: { ...note, state: "draining" } }),
          replica({ note: { ...note, state: "paused" } }),
        ],
      },
      "4 replicas: 1 at work, 1 paused, 1 draining, 1 gone",
    ],
    [
      "paused",
      { ageMs: 10, replicas: [replica()], pause: { sinceMs: atMs, by: "ada" } },
      "The fleet is paused since 2026-06-01 12:00 UTC by ada",
    ],
    [
      "paused nobody knows when",
      { ageMs: 10, replicas: [], pause: { sinceMs: Number.NaN, by: "ada" } },
      "The fleet is paused by ada",
    ],
    ["not looked at yet", { replicas: [] }, "No replica was seen yet"],
  ])("says of a fleet that is %s what matters", (_, fleet, said) => {
    expect(headline(fleet)).toBe(said);
  });

  it("says how old what it knows is, once the table does not answer", () => {
    const text = (ageMs: number) => fleetSections(view({ ageMs, replicas: [replica()] }), true).get("fleet-state")?.();
    expect(text(9_000)).not.toContain("The table");
    expect(text(120_000)).toContain("The table was last read 2 min ago: what it said then holds");
  });

  it("offers the pause or its end, whichever there is not", () => {
    const buttons = (fleet: SeenFleet) => fleetSections(view(fleet), true).get("fleet-controls")?.();
    expect(buttons({ replicas: [] })).toContain('value="fleet-pause"');
    expect(buttons({ replicas: [], pause: { sinceMs: 1, by: "ada" } })).toContain('value="fleet-resume"');
  });

  it("says that there is one daemon where the ledger is shared with nobody", () => {
    expect(fleetBody(view(undefined)).text).toContain("One daemon, no fleet");
    expect(fleetBody(view(undefined)).text).toContain("kept in sqlite");
  });

  it("shows what replicas and jobs are called as texts, and links nowhere but to web pages", () => {
    const hostile = `"><script>alert(1)</script>`;
    const key = {
      jobId: hostile,
      region: "us-east-1",
      clientId: hostile,
      actionType: { owner: "Custom", category: "Test", provider: hostile, version: "1" },
    } as unknown as JobKey;
    const jobs: FleetJobs = {
      ...none,
      count: 1,
      jobs: [{ key, standing: "running", sinceMs: Number.NaN, heldBy: { replica: hostile, host: hostile } }],
    };
    const { text } = fleetBody(
      view(
        {
          ageMs: 1,
          replicas: [replica({ replica: hostile, host: hostile, note: { ...note, version: hostile } })],
          pause: { sinceMs: 1, by: hostile },
        },
        jobs,
      ),
    );
    expect(text).not.toContain("<script>");
  });

  it("leads to the other pages of many jobs, and says how many there are", () => {
    const jobs = Array.from({ length: 50 }, (_, at) => ({
      key: {
        jobId: `j${at}`,
        region: "us-east-1",
        actionType: { owner: "Custom", category: "Test", provider: "P", version: "1" },
      } as unknown as JobKey,
      standing: "running" as const,
      sinceMs: atMs,
    }));
    const text = fleetSections(view({ replicas: [] }, { ...none, from: 50, jobs, count: 130, isCut: true }), true).get(
      "fleet-jobs",
    )?.();
    expect(text).toContain("51 to 100 of more than 130");
    expect(text).toContain('href="/fleet?from=0"');
    expect(text).toContain('href="/fleet?from=100"');
  });
});

describe("a replica's note", () => {
  it("is read as it was written", () => {
    const whole: ReplicaNote = { ...note, url: "https://a.example:9464/x" };
    expect(noteFrom(noteText(whole))).toEqual(whole);
  });

  it.each([
    ["nothing", undefined],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["another state", JSON.stringify({ ...note, state: "happy" })],
    ["a negative count", JSON.stringify({ ...note, jobs: -1 })],
    ["a text for a count", JSON.stringify({ ...note, slotsMax: "10" })],
    ["no version", JSON.stringify({ ...note, version: undefined })],
  ])("is none where the row has %s", (_, text) => {
    expect(noteFrom(text)).toBeUndefined();
  });

  it.each(["javascript:alert(1)", "https://a b", "ftp://a", "data:text/html,x", `https://${"x".repeat(300)}`])(
    "has no address from %s",
    (url) => {
      expect(noteFrom(JSON.stringify({ ...note, url }))).toEqual(note);
    },
  );

  it("names who paused in one line", () => {
    expect(pausedBy(" ada\n\u202e\u0000x ")).toBe("ada x");
    expect(pausedBy("\u0000")).toBe("unknown");
    expect(pauseText({ sinceMs: 0, by: "ada" })).toBe("the fleet is paused since 1970-01-01 00:00 UTC by ada");
  });
});
