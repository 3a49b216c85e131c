// One job's page without a browser: hostile texts stay texts wherever a story has one, each way to stand or to end has
// its first line, and addresses name one job.
import { describe, expect, it } from "vitest";
import { prefersHtml } from "../../../src/admin/accept.js";
import { historyPage } from "../../../src/admin/history-page.js";
import { html } from "../../../src/admin/html.js";
import { isOverStory, jobPage, jobPath, jobSections, jobTitle } from "../../../src/admin/job-page.js";
import type { JobStory } from "../../../src/admin/job-story.js";

const at = "2026-11-30T12:00:00.000Z";
const moment = { nowMs: Date.parse(at) + 60_000, isLive: false };

function storyWith(more: Partial<JobStory> = {}): JobStory {
  return {
    version: 1,
    source: "daemon",
    jobId: "1a2b3c4d-0000-4000-8000-000000000001",
    region: "us-east-1",
    actionType: "Custom/Build/Acme-Build/1",
    state: "running",
    states: [{ state: "running", at, retries: [] }],
    chain: [],
    log: { lines: [], leftOut: 0 },
    ...more,
  };
}

const hostile = `<img src=x onerror="hack()">'"&\u202e`;

describe("a job's page", () => {
  it("shows every text of a story as a text", () => {
    const retries = [{ operation: hostile, failures: 3, code: hostile, message: hostile, at }];
    const names = ["clientId", "handler", "pipelineName", "stageName", "actionName", "actionExecutionId"] as const;
    const artifact = { name: hostile, bytes: 5_000_000 };
    const story = storyWith({
      ...Object.fromEntries(names.map((name) => [name, hostile])),
      jobId: hostile,
      account: hostile,
      region: hostile,
      actionType: hostile,
      state: hostile,
      cause: hostile,
      heldBy: { replica: hostile, host: hostile },
      states: [{ state: hostile, at: hostile, retries }],
      chain: [
        { jobId: hostile, at, end: "continued", percentComplete: 40 },
        { jobId: "other", at, end: "running" },
      ],
      configuration: [{ name: hostile, value: hostile }],
      inputs: [artifact],
      outputs: [artifact],
      outcome: {
        kind: "succeeded",
        summary: hostile,
        externalExecutionId: hostile,
        outputVariables: { [hostile]: hostile },
      },
      log: {
        lines: [{ at: hostile, level: hostile, event: hostile, text: hostile, fields: { [hostile]: hostile } }],
        leftOut: 3,
      },
    });
    const text = jobPage(story, { moment }).text;
    expect(text).not.toMatch(/<img|onerror="|\u202e/);
    expect(text.match(/&lt;img/g)?.length).toBeGreaterThan(20);
    expect(text).toContain("4.8 MiB");
  });

  it.each<[string, Partial<JobStory>, string, boolean]>([
    ["a job at work", {}, "Job 1a2b3c4d is running", false],
    ["a job of a service", { callbackUntil: at }, "Job 1a2b3c4d waits for its service's callback", false],
    ["a job on its way", { state: "acknowledging" }, "Job 1a2b3c4d is acknowledging", false],
    [
      "a result that is owed",
      { state: "settled", outcome: { kind: "failed" } },
      "Job 1a2b3c4d failed; its result is owed to CodePipeline",
      false,
    ],
    ["a result", { state: "reported", outcome: { kind: "succeeded" } }, "Job 1a2b3c4d succeeded", true],
    [
      "a step",
      { state: "reported", outcome: { kind: "continued", percentComplete: 40 } },
      "Job 1a2b3c4d continued (40 %)",
      true,
    ],
    [
      "a drop",
      { state: "dropped", end: { kind: "dropped", at, reason: "gone", message: "m" } },
      "Job 1a2b3c4d dropped: gone",
      true,
    ],
    [
      "a job that was left",
      { end: { kind: "unfinished", at, reason: "running", message: "m" } },
      "Job 1a2b3c4d unfinished: running",
      true,
    ],
  ])("says first how %s stands", (_, more, title, isOver) => {
    const story = storyWith(more);
    expect([jobTitle(story), isOverStory(story)]).toEqual([title, isOver]);
    expect(jobPage(story, { moment }).text).toContain(html`<h1>${title}</h1>`.text);
  });

  it("leaves room for what an operator may do, above all lists", () => {
    const { text } = jobPage(storyWith(), { moment, actions: html`<form></form>` });
    expect(text.indexOf('<div id="actions"><form></form></div>')).toBeLessThan(text.indexOf('id="facts"'));
  });

  it("has an element for each part that a stream replaces", () => {
    const story = storyWith({
      chain: [
        { jobId: "a", at, end: "continued" },
        { jobId: "b", at, end: "running" },
      ],
    });
    const { text } = jobPage(story, { moment });
    for (const id of jobSections(story, moment).keys()) expect(text).toContain(`id="${id}"`);
  });

  it("leads to one job, whatever its id", () => {
    expect(jobPath({ jobId: "a/b?c#d", region: "us-east-1", account: "shop" })).toBe(
      "/jobs/a%2Fb%3Fc%23d?region=us-east-1&account=shop",
    );
    expect(jobPath({ jobId: "\ud800", region: "r" })).toBe("/jobs/%EF%BF%BD?region=r");
  });
});

it("shows what was searched for and why nothing was found, as texts", () => {
  const query = { job: hostile, client: hostile, pipeline: hostile, type: hostile };
  for (const view of [{ entries: [] }, { entries: [], next: "5" }, { entries: [], problem: hostile }]) {
    expect(historyPage({ query, ...view }, moment).text).not.toMatch(/<img|onerror="|\u202e/);
  }
});

it.each([
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
  ["text/html", true],
  ["TEXT/HTML;q=0.5, application/json;q=0.4", true],
  ["application/json, text/html;q=0.9", false],
  ["*/*", false],
  ["text/*", false],
  ["text/html;q=0", false],
  ["text/html;q=2", false],
  ["", false],
  [undefined, false],
])("a caller that accepts %s gets HTML: %s", (accept, is) => expect(prefersHtml(accept)).toBe(is));
