// Which jobs make one chain: those of one action, of one customer in one place.
import { expect, it } from "vitest";
import { JobChains } from "../../../src/admin/job-chains.js";
import type { AccountName, ActionType, JobId, Region } from "../../../src/job/job.js";

const actionType: ActionType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" };

function started(jobId: string, place: { readonly account?: string; readonly region?: string } = {}) {
  const { account, region = "us-east-1" } = place;
  const of = account === undefined ? {} : { account: account as AccountName };
  return {
    type: "job-started",
    key: { ...of, region: region as Region, actionType, jobId: jobId as JobId },
    handler: "h",
    pickupMs: 1,
    deadlineMs: 1,
    isContinuation: true,
    pipelineName: "shop",
    stageName: "Make",
    actionName: "Build",
    actionExecutionId: undefined,
    atMs: 0,
  } as const;
}

it("is told from those of equal pipelines in other Regions and accounts", () => {
  const chains = new JobChains();
  const places = [{}, { region: "eu-west-1" }, { account: "shop" }, { account: "blog" }];
  for (const [index, place] of places.entries()) {
    expect(chains.started(started(`first-${index}`, place))).toHaveLength(1);
    expect(chains.started(started(`second-${index}`, place))).toHaveLength(2);
  }
});
