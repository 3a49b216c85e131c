// The claim by its table, and against a small CodePipeline whose answers get lost: whatever order things come in, a job
// that CodePipeline holds for us is never dropped, and no job of somebody else's is worked.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterCrash,
  type Claim,
  type ClaimEvent,
  type ClaimState,
  claimAfter,
  claimMoves,
  mayBeOurs,
  nextStep,
  nonceEvent,
  statusEvent,
} from "../../../src/job/claim.js";
import type { Nonce } from "../../../src/job/job.js";

const [one, two] = ["1" as Nonce, "2" as Nonce];
const claims: readonly Claim[] = [
  { is: "none" },
  { is: "none", nonce: one },
  { is: "asked", nonce: one },
  { is: "unanswered", nonce: one },
  { is: "disputed", nonce: one },
  { is: "presumed" },
  { is: "doubted" },
  { is: "doubted", nonce: one },
  { is: "ours" },
  { is: "lost", reason: "gone" },
];
const events: readonly ClaimEvent[] = [
  { type: "sent", nonce: one },
  { type: "in-progress" },
  { type: "nonce-refused" },
  { type: "ended", reason: "over" },
  { type: "no-answer" },
  { type: "put-off" },
  { type: "offered" },
  { type: "fresh-nonce", nonce: two },
  { type: "same-nonce" },
  { type: "result-refused" },
  { type: "gave-up", reason: "denied" },
];

describe("each event in each state", () => {
  it("moves as the table says, and changes nothing that the table does not name", () => {
    for (const claim of claims) {
      for (const event of events) {
        const after = claimAfter(claim, event);
        const to = claimMoves[claim.is][event.type];
        if (to === undefined) expect(after).toBe(claim);
        else expect(after.is).toBe(to);
      }
    }
  });

  it.each<readonly [string, Claim, ClaimEvent, Claim]>([
    [
      "asks with the nonce of an offer",
      { is: "none" },
      { type: "fresh-nonce", nonce: one },
      { is: "none", nonce: one },
    ],
    ["forgets the nonce of an earlier offer", { is: "none", nonce: one }, { type: "offered" }, { is: "none" }],
    ["is asked", { is: "none", nonce: one }, { type: "sent", nonce: one }, { is: "asked", nonce: one }],
    ["may ask again when it was put off", { is: "asked", nonce: one }, { type: "put-off" }, { is: "none", nonce: one }],
    ["is ours by InProgress alone", { is: "asked", nonce: one }, { type: "in-progress" }, { is: "ours" }],
    ["is somebody else's", { is: "asked", nonce: one }, { type: "nonce-refused" }, { is: "lost", reason: "not-ours" }],
    ["is unanswered", { is: "asked", nonce: one }, { type: "no-answer" }, { is: "unanswered", nonce: one }],
    ["stays so when put off", { is: "unanswered", nonce: one }, { type: "put-off" }, { is: "unanswered", nonce: one }],
    ["is disputed", { is: "unanswered", nonce: one }, { type: "nonce-refused" }, { is: "disputed", nonce: one }],
    ["is presumed ours", { is: "disputed", nonce: one }, { type: "same-nonce" }, { is: "presumed" }],
    ["begins anew", { is: "disputed", nonce: one }, { type: "fresh-nonce", nonce: two }, { is: "none", nonce: two }],
    ["is doubted", { is: "presumed" }, { type: "fresh-nonce", nonce: two }, { is: "doubted", nonce: two }],
    ["uses a nonce once", { is: "doubted", nonce: two }, { type: "sent", nonce: two }, { is: "doubted" }],
    ["is confirmed", { is: "doubted" }, { type: "in-progress" }, { is: "ours" }],
    ["stays doubted", { is: "doubted" }, { type: "nonce-refused" }, { is: "doubted" }],
    ["waits for another offer", { is: "doubted" }, { type: "not-ours" }, { is: "doubted" }],
    ["is back in the queue", { is: "asked", nonce: one }, { type: "not-ours" }, { is: "lost", reason: "not-ours" }],
    ["was not ours", { is: "unanswered", nonce: one }, { type: "not-ours" }, { is: "lost", reason: "not-ours" }],
    ["says why it is given up", { is: "doubted" }, { type: "gave-up", reason: "over" }, { is: "lost", reason: "over" }],
    ["stays ours", { is: "ours" }, { type: "ended", reason: "gone" }, { is: "ours" }],
    ["stays lost", { is: "lost", reason: "gone" }, { type: "in-progress" }, { is: "lost", reason: "gone" }],
  ])("a claim %s", (_what, claim, event, expected) => {
    expect(claimAfter(claim, event)).toEqual(expected);
  });

  it("throws for a question that cannot have been recorded", () => {
    // As JavaScript could.
    const event = { type: "sent" } as unknown as ClaimEvent;
    expect(() => claimAfter({ is: "none" }, event)).toThrow("bug: a claim that is none cannot take the event sent");
  });

  it("reaches every state from none, and none from an end", () => {
    const seen = new Set<ClaimState>(["none"]);
    for (const state of seen) for (const to of Object.values(claimMoves[state])) seen.add(to);
    expect([...seen].sort()).toEqual(Object.keys(claimMoves).sort());
    expect([claimMoves.ours, claimMoves.lost]).toEqual([{}, {}]);
  });
});

it("knows what to do next", () => {
  expect(claims.map((claim) => nextStep(claim).do)).toEqual([
    "fetch-details",
    "ask",
    "ask",
    "ask",
    "fetch-details",
    "work",
    "await-offer",
    "ask",
    "work",
    "drop",
  ]);
});

it("takes a crash for a lost answer, and forgets nothing else", () => {
  for (const claim of claims) {
    expect(afterCrash(claim)).toEqual(claim.is === "asked" ? { is: "unanswered", nonce: one } : claim);
  }
});

it("may be ours from the first question on, until it is lost", () => {
  const states = [...new Set(claims.filter(mayBeOurs).map(({ is }) => is))];
  expect(states).toEqual(["asked", "unanswered", "disputed", "presumed", "doubted", "ours"]);
});

it.each([
  ["InProgress", "in-progress"],
  ["TimedOut", "over"],
  ["Succeeded", "over"],
  ["Failed", "over"],
  ["Created", "not-ours"],
  ["Queued", "not-ours"],
  ["Dispatched", "not-ours"],
  ["Whatever", "not-ours"],
  [undefined, "not-ours"],
])("reads the status %s as %s", (status, meaning) => {
  const event = statusEvent(status);
  expect("reason" in event ? event.reason : event.type).toBe(meaning);
});

/** CodePipeline as far as one job goes: a nonce is good until it is used or a newer offer is made. */
class Service {
  nonce = 1;
  holder: "nobody" | "us" | "other" = "nobody";
  isSeen = false;
  readonly #knowsNonce: boolean;

  constructor(knowsNonce: boolean) {
    this.#knowsNonce = knowsNonce;
  }

  offer(): Nonce | undefined {
    if (this.holder !== "nobody") return undefined;
    this.nonce += 1;
    return String(this.nonce) as Nonce;
  }

  acknowledge(nonce: Nonce): ClaimEvent {
    if (this.holder !== "nobody" || nonce !== String(this.nonce)) return { type: "nonce-refused" };
    this.holder = "us";
    return { type: "in-progress" };
  }

  details(): Nonce | undefined {
    return this.#knowsNonce ? (String(this.nonce) as Nonce) : undefined;
  }
}

describe("against a service whose answers get lost", () => {
  const step = fc.record({
    what: fc.constantFrom("answered", "lost", "never sent", "offer", "crash", "other worker"),
  });

  it.each([
    ["third-party", true],
    ["custom", false],
  ])("a %s job that is held for us is never dropped, and one that is another's is never sure", (_flavour, knows) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const service = new Service(knows);
        let claim: Claim = claimAfter({ is: "none" }, nonceEvent({ is: "none" }, service.offer()));
        for (const { what } of steps) {
          claim = turn(service, claim, what);
          if (claim.is === "ours") expect(service.holder).toBe("us");
          if (claim.is === "lost") expect(service.holder).not.toBe("us");
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("a job that nobody else wants comes to us, whatever was lost before", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.boolean(), (steps, knows) => {
        const service = new Service(knows);
        let claim: Claim = claimAfter({ is: "none" }, nonceEvent({ is: "none" }, service.offer()));
        for (const { what } of steps) if (what !== "other worker") claim = turn(service, claim, what);
        for (let quiet = 0; quiet < 8 && claim.is !== "ours" && claim.is !== "presumed"; quiet++) {
          claim = turn(service, turn(service, claim, "answered"), "offer");
        }
        expect(["ours", "presumed"]).toContain(claim.is);
        expect(service.holder).toBe("us");
      }),
    );
  });

  function turn(service: Service, claim: Claim, what: string): Claim {
    if (what === "crash") {
      // Only what is recorded survives: a doubt and a dispute are had again.
      if (claim.is === "doubted") return { is: "presumed" };
      if (claim.is === "disputed") return { is: "unanswered", nonce: claim.nonce };
      return claim.is === "none" ? claim : afterCrash(claim);
    }
    if (what === "other worker") {
      if (service.holder === "nobody") service.holder = "other";
      return claim;
    }
    if (what === "offer") {
      const nonce = service.offer();
      return nonce === undefined ? claim : claimAfter(claim, nonceEvent(claim, nonce));
    }
    const next = nextStep(claim);
    if (next.do === "fetch-details" && what === "answered")
      return claimAfter(claim, nonceEvent(claim, service.details()));
    if (next.do !== "ask") return claim;
    const sent = claimAfter(claim, { type: "sent", nonce: next.nonce });
    if (what === "never sent") return claimAfter(sent, { type: "put-off" });
    const answer = service.acknowledge(next.nonce);
    return claimAfter(sent, what === "lost" ? { type: "no-answer" } : answer);
  }
});
