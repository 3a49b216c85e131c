// One breaker for each Region: told once when it opens and once when it closes, whatever happens between.
import { describe, expect, it } from "vitest";
import { GatewayError, type GatewayFaultKind } from "../../../src/codepipeline/gateway.js";
import { Breakers } from "../../../src/engine/breakers.js";
import type { UntimedEvent } from "../../../src/engine/events.js";
import type { Region } from "../../../src/job/job.js";

const scan = poller("us-east-1", "Acme-Scan");
const build = poller("us-east-1", "Acme-Build");
const elsewhere = poller("eu-west-1", "Acme-Scan");

function poller(region: string, provider: string) {
  const actionType = { category: "Test", owner: "Custom", provider, version: "1" } as const;
  return { region: region as Region, actionType };
}

function fault(kind: GatewayFaultKind): GatewayError {
  return new GatewayError({ kind, operation: "PollForJobs", code: "ExpiredToken", message: "token hush has expired" });
}

function given() {
  const events: UntimedEvent[] = [];
  let nowMs = 0;
  const breakers = new Breakers({
    emit: (event) => events.push(event),
    mask: (text) => text.replace("hush", "[masked]"),
    monotonic: () => nowMs,
  });
  return {
    breakers,
    pass: (ms: number) => {
      nowMs += ms;
    },
    told: () => events.map(({ type }) => type),
    events,
  };
}

describe("a Region's breaker", () => {
  it("opens at the first refusal and is told once, masked", () => {
    const { breakers, events } = given();
    for (const each of [scan, build, scan, scan]) breakers.failed(each, "poll", fault("denied"));
    expect(events).toEqual([
      {
        type: "breaker-opened",
        poller: scan,
        fault: {
          kind: "denied",
          operation: "PollForJobs",
          code: "ExpiredToken",
          message: "token [masked] has expired",
        },
      },
    ]);
  });

  it("closes when nobody is refused any more, and says for how long it was open", () => {
    const { breakers, events, pass, told } = given();
    breakers.failed(scan, "poll", fault("denied"));
    breakers.failed(build, "poll", fault("denied"));
    pass(1_000);
    breakers.passed(scan, "poll");
    expect(told()).toEqual(["breaker-opened"]);
    pass(500);
    breakers.passed(build, "poll");
    expect(events.at(-1)).toEqual({ type: "breaker-closed", region: "us-east-1", openMs: 1_500 });
  });

  it("stays open while the refused poller fails in another way", () => {
    const { breakers, told } = given();
    breakers.failed(scan, "poll", fault("denied"));
    breakers.failed(scan, "poll", fault("unavailable"));
    breakers.passed(build, "poll");
    expect(told()).toEqual(["breaker-opened"]);
  });

  it("is not another Region's", () => {
    const { breakers, told } = given();
    breakers.failed(scan, "poll", fault("denied"));
    breakers.failed(elsewhere, "poll", fault("denied"));
    breakers.passed(elsewhere, "poll");
    expect(told()).toEqual(["breaker-opened", "breaker-opened", "breaker-closed"]);
  });

  it("opens again after it closed", () => {
    const { breakers, told } = given();
    breakers.failed(scan, "poll", fault("denied"));
    breakers.passed(scan, "poll");
    breakers.passed(scan, "poll");
    breakers.failed(scan, "poll", fault("denied"));
    expect(told()).toEqual(["breaker-opened", "breaker-closed", "breaker-opened"]);
  });

  it.each<GatewayFaultKind>(["throttled", "unavailable", "misconfigured", "rejected"])("is none of %s", (kind) => {
    const { breakers, told } = given();
    breakers.failed(scan, "poll", fault(kind));
    breakers.passed(scan, "poll");
    expect(told()).toEqual([]);
  });

  it("hears every call of a poller's jobs, and says which is denied", () => {
    const { breakers, told } = given();
    breakers.failed(scan, "acknowledge", fault("denied"));
    breakers.passed(scan, "poll");
    breakers.passed(scan, "details");
    expect(breakers.denials).toMatchObject([{ poller: scan, deed: "acknowledge", fault: { code: "ExpiredToken" } }]);
    expect([breakers.isOpenFor(scan), breakers.isOpenFor(build)]).toEqual([true, false]);
    breakers.passed(scan, "acknowledge");
    expect([breakers.denials, told()]).toEqual([[], ["breaker-opened", "breaker-closed"]]);
  });

  it("forgets what is not asked any more, and a poller that is gone", () => {
    const { breakers, pass, told } = given();
    breakers.failed(scan, "details", fault("denied"));
    pass(301_000);
    breakers.passed(scan, "poll");
    breakers.failed(build, "put", fault("denied"));
    breakers.forget(build);
    expect(told()).toEqual(["breaker-opened", "breaker-closed", "breaker-opened", "breaker-closed"]);
  });
});

describe("pollers of one action type that ask for different values", () => {
  const [shop, blog] = ["Project=shop", "Project=blog"].map((query) => ({ ...scan, query })) as [
    typeof scan & { query: string },
    typeof scan & { query: string },
  ];

  it("are denied one by one, but for the calls for jobs, which belong to all", () => {
    const { breakers } = given();
    breakers.failed(shop, "poll", fault("denied"));
    expect([shop, blog].map((each) => breakers.isOpenFor(each))).toEqual([true, false]);
    breakers.failed(scan, "put", fault("denied"));
    expect([shop, blog].map((each) => breakers.isOpenFor(each))).toEqual([true, true]);
  });

  it("leave what is denied to jobs behind until the last of them goes", () => {
    const { breakers, told } = given();
    breakers.failed(shop, "poll", fault("denied"));
    breakers.failed(scan, "put", fault("denied"));
    breakers.forget(shop, "others-stay");
    expect(breakers.denials.map(({ deed }) => deed)).toEqual(["put"]);
    breakers.forget(blog, "last-of-type");
    expect(told()).toEqual(["breaker-opened", "breaker-closed"]);
  });
});
