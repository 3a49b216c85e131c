// The page without a browser: hostile texts stay texts, times are the same here and in the script, and colours can be
// read. `test/browser` looks at it as people do.
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { History } from "../../../src/admin/history.js";
import { html } from "../../../src/admin/html.js";
import { type PageView, pageText, sectionsOf } from "../../../src/admin/page.js";
import { pageStyle } from "../../../src/admin/page-assets.js";
import { filterFrom } from "../../../src/admin/page-filter.js";
import { pageScript } from "../../../src/admin/page-script.js";
import { durationText, type TimeForm, timeHtml } from "../../../src/admin/times.js";
import type { ClientId, JobId, Region } from "../../../src/job/job.js";
import { failed, succeeded } from "../../../src/job/outcome.js";
import { jobWith, nowMs, outage, pollerWith, statusWith } from "../../support/admin-status.js";

const hostile = `</td><script>alert(1)</script><img src=x onerror=a>"'&\u202e\u0000\ud800`;

const work = { handler: "h", pipelineName: "p", actionName: "a", durationMs: 5, isPresumed: false };
const everything = filterFrom(new URLSearchParams());
const links = [{ path: "/", name: "Overview" }];

function viewWith(change: Parameters<typeof statusWith>[0] = {}): PageView {
  return { status: statusWith(change), ledger: { writable: true }, history: new History().view(nowMs) };
}

function liveOf(view: PageView, filter = everything): ReadonlyMap<string, string> {
  return new Map([...sectionsOf(view, filter, true)].map(([name, make]) => [name, make()]));
}

describe("HTML", () => {
  it("escapes whatever is put into it, and joins lists", () => {
    expect(html`<p title="${`"><'&`}">${["<b>", html`<i>${"<"}</i>`, undefined, 3]}</p>`.text).toBe(
      '<p title="&quot;&gt;&lt;&#39;&amp;">&lt;b&gt;<i>&lt;</i>3</p>',
    );
  });

  it("shows what cannot be seen, or turns the reading direction", () => {
    expect(html`${"a\u202eb\u0000c\u200bd\ud800e\u2066"}`.text).toBe("a\ufffdb\ufffdc\ufffdd\ufffde\ufffd");
  });
});

describe("the page", () => {
  it("keeps hostile texts what they are, wherever they turn up", () => {
    const lastFault = { ...outage, code: hostile, message: hostile };
    const job = { jobId: hostile, clientId: hostile, actionType: hostile, handler: hostile, region: hostile };
    const pollers = [
      pollerWith({ failures: 9, failingSinceMs: nowMs, lastFault, actionType: hostile, region: hostile }),
    ];
    const jobs = [jobWith(job), jobWith({ ...job, state: "settled" })];
    const history = new History().view(nowMs);
    const past = {
      ...job,
      atMs: nowMs,
      end: "failed",
      isTrouble: true,
      reason: hostile,
      text: hostile,
      tookMs: 1,
    } as const;
    const view: PageView = {
      status: statusWith({ pollers, jobs }),
      ledger: { writable: false, reason: hostile },
      history: { ...history, recent: [past] },
    };
    const text = pageText(view, everything, { version: hostile, links });
    expect(text.match(/<script/g)).toEqual(["<script"]);
    expect(text).not.toMatch(/<img|\u202e/);
    for (const section of liveOf(view).values()) expect(section).not.toMatch(/<script|<img/);
  });

  it("is whole without a script: times are told, and it is loaded anew", () => {
    const text = pageText(viewWith({ jobs: [jobWith()] }), everything, { version: "1.2.3", links });
    expect(text).toContain("Working: 1 job running, nothing owed");
    expect(text).toMatch(/data-form="age">1 min</);
    expect(text).toMatch(/data-form="left">10 min left</);
    expect(text).toMatch(/data-form="next" data-late="now">in 4 s</);
    expect(text).toContain('<noscript><meta http-equiv="refresh" content="10"></noscript>');
  });

  it("changes no section merely because time passes", () => {
    const before = liveOf(viewWith({ jobs: [jobWith()] }));
    const after = liveOf(viewWith({ jobs: [jobWith()], atMs: nowMs + 20_000 }));
    expect(after).toEqual(before);
  });

  it("shows fifty jobs and links to the rest", () => {
    const jobs = Array.from({ length: 1_234 }, (_, at) => jobWith({ jobId: `job-${at}` }));
    const table = liveOf(viewWith({ jobs })).get("jobs") ?? "";
    expect(table.match(/<tr role="row" data-key/g)).toHaveLength(50);
    expect(table).toContain('and 1184 more; <a href="/?all=1">');
    const all = liveOf(viewWith({ jobs }), filterFrom(new URLSearchParams("all=1"))).get("jobs") ?? "";
    expect(all.match(/<tr role="row" data-key/g)).toHaveLength(500);
    expect(all).toContain("and 734 more; /status has them all");
  });

  it("says when an owed result is tried again, how often it was, and after the end what becomes of it", () => {
    const lastFault = outage;
    const job = jobWith({ state: "settled", lastFault, nextTryAtMs: nowMs + 30_000, failedCalls: 4 });
    const owed = pageText(viewWith({ jobs: [job] }), everything, { version: "1", links });
    expect(owed).toMatch(/data-name="Tries" class="num">4</);
    expect(owed).toMatch(/data-name="Next try" class="num"><time[^>]*>in 30 s</);
    const end = { owed: 1, results: 1, isDurable: true, isRead: true };
    const last = pageText(viewWith({ jobs: [job], end, isDraining: true }), everything, { version: "1", links });
    expect(last).toContain("Stopped; 1 result owed; it is in the ledger, and the next start reports it");
    expect(last).toMatch(/data-name="Next try" class="num">at the next start</);
  });

  it("with 200 jobs at work and 5,000 over is at most 60 KB on its way, however much they say", () => {
    const board = new History();
    const outcome = (at: number) =>
      at % 2 === 0
        ? succeeded({ summary: `${randomUUID()} `.repeat(8) })
        : failed(`${"abcdefghij"[at % 10]} ${randomUUID()}`.repeat(8));
    for (let at = 0; at < 5_000; at++) {
      const key = {
        region: ["us-east-1", "eu-central-1"][at % 2] as Region,
        actionType: { category: "Test", owner: "ThirdParty", provider: `Acme-${at % 12}`, version: "1" } as const,
        jobId: randomUUID() as JobId,
        clientId: `${randomUUID().slice(0, -3)}${at % 300}` as ClientId,
      };
      const atMs = nowMs - 3_500_000 + at * 700;
      board.observe({ type: "job-reported", atMs, key, outcome: outcome(at), attempts: 1, owedMs: 5, ...work });
    }
    const jobs = Array.from({ length: 200 }, () => jobWith({ jobId: randomUUID(), clientId: randomUUID() }));
    const view = { ...viewWith({ jobs }), history: board.view(nowMs) };
    const text = pageText(view, everything, { version: "1", links });
    expect(gzipSync(text).length).toBeLessThan(60_000);
    expect(text.match(/<tr role="row" data-key/g)?.length).toBeGreaterThan(100);
  });

  it("narrows the lists, never the verdict, and keeps the filter in each of its links", () => {
    const jobs = [jobWith(), jobWith({ jobId: "job-2", clientId: "client-2" })];
    const filter = filterFrom(new URLSearchParams("client=client-2&refresh=off"));
    const text = pageText(viewWith({ jobs }), filter, { version: "1", links });
    expect(text).toContain("<h1>Working: 2 jobs running");
    expect(text).toContain('<span id="jobs-count" class="count">1 of 2</span>');
    expect(text).toContain('data-stream="/events?client=client-2&amp;refresh=off"');
    expect(text).not.toContain('http-equiv="refresh"');
    expect(text).toContain('href="/?client=client-2&amp;type=ThirdParty%2FTest%2FAcme-Scan%2F1&amp;refresh=off"');
  });

  it("leaves room for the forms of whoever may act", () => {
    const forms = {
      once: (viewer: unknown) => html`<form id="act">${String(viewer)}</form>`,
      controls: ({ isPaused }: { isPaused: boolean }) =>
        html`<button form="act">${isPaused ? "Resume" : "Pause"}</button>`,
      row: ({ jobId }: { jobId: string }) => html`<input type="checkbox" form="act" name="job" value="${jobId}">`,
      rowName: "Select",
    };
    const view = { ...viewWith({ jobs: [jobWith()] }), forms };
    const text = pageText(view, everything, { version: "1", links, viewer: "me" });
    expect(text).toContain('<form id="act">me</form><div id="controls"><button form="act">Pause</button></div>');
    expect(text).toContain('data-name="Select"><input type="checkbox" form="act" name="job" value="job-1">');
    // What is sent to everybody holds nothing of one viewer.
    expect([...liveOf(view).values()].join("")).not.toContain("me</form>");
  });

  it("loads nothing from elsewhere and has no style or script in line", () => {
    const text = pageText(viewWith(), everything, { version: "1.2.3", links });
    expect(text).not.toMatch(/ style=| on\w+=|https?:\/\//);
    expect([...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, to]) => to)).toEqual([
      "/page.svg",
      "/page.css",
      "/page.js",
      "#main",
      "/",
      "/?type=ThirdParty%2FTest%2FAcme-Scan%2F1",
      "/?refresh=off",
      "/status",
      "/metrics",
      "/readyz",
    ]);
    expect(`${pageStyle}${pageScript}`).not.toMatch(/@import|url\(|https?:/);
  });
});

describe("times", () => {
  it.each([
    [0, "0 s"],
    [59_499, "59 s"],
    [60_000, "1 min"],
    [3_599_000, "59 min"],
    [3_600_000, "1 h 0 min"],
    [172_000_000, "47 h 46 min"],
    [180_000_000, "2 d 2 h"],
    [-5, "0 s"],
  ])("tell %d ms as %s", (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it("are told by the page's script as they are told here", () => {
    const functions = pageScript.slice(pageScript.indexOf("function duration"), pageScript.indexOf("function times"));
    const formed = new Function("late", `${functions}; return formed;`)(3_000) as (...of: unknown[]) => string;
    for (const form of ["age", "ago", "next", "left"] as const satisfies readonly TimeForm[]) {
      for (const passedMs of [-90_061_000, -61_000, -900, 0, 900, 2_999, 3_001, 59_999, 3_600_000, 200_000_000]) {
        const here = timeHtml(nowMs - passedMs, form, { nowMs, isLive: false }, "when a slot is free").text;
        expect(here).toContain(`>${formed(passedMs, form, "when a slot is free")}<`);
      }
    }
  });
});

describe("colours", () => {
  const themes = [...pageStyle.matchAll(/--paper: [^}]*/g)].map(([block]) =>
    Object.fromEntries([...block.matchAll(/--(\w+): (#[0-9a-f]{6})/g)].map(([, name, colour]) => [name, colour])),
  );

  it("are there for light and for dark", () => {
    expect(themes).toHaveLength(2);
  });

  it.each(
    themes.flatMap((theme, at) =>
      [
        ...["ink", "quiet", "good", "bad", "link"].flatMap((name) => [
          [name, "paper"],
          [name, "card"],
        ]),
        ["good", "goodpaper"],
        ["busy", "busypaper"],
        ["bad", "badpaper"],
        ["ink", "badpaper"],
        ["ink", "busypaper"],
      ].map(([on = "", under = ""]) => [at, on, under, theme] as const),
    ),
  )("of theme %d let %s be read on %s", (_, on, under, theme) => {
    expect(contrast(String(theme[on]), String(theme[under]))).toBeGreaterThanOrEqual(4.5);
  });
});

/** By WCAG 2. */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
