// What the daemon is measured against: an ideal, featureless pool over the same SDK, 50 jobs at once. No ledger, no
// events, no log, no limits, no retries of its own: poll for what is free, details, acknowledge, success.
import {
  AcknowledgeThirdPartyJobCommand,
  CodePipelineClient,
  GetThirdPartyJobDetailsCommand,
  PollForThirdPartyJobsCommand,
  PutThirdPartyJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";

const [endpoint = "", mode = "plain"] = process.argv.slice(2);
const slots = 50;
const client = new CodePipelineClient({
  region: "us-east-1",
  endpoint,
  ...(mode === "cached" ? { cacheMiddleware: true } : {}),
});
const actionTypeId = { category: "Test", owner: "ThirdParty", provider: "Bench", version: "1" } as const;
const clientToken = "bench-token";

let active = 0;
let freed: (() => void) | undefined;

async function work(jobId: string): Promise<void> {
  try {
    const { jobDetails } = await client.send(new GetThirdPartyJobDetailsCommand({ jobId, clientToken }));
    await client.send(new AcknowledgeThirdPartyJobCommand({ jobId, nonce: jobDetails?.nonce, clientToken }));
    await client.send(new PutThirdPartyJobSuccessResultCommand({ jobId, clientToken }));
  } finally {
    active -= 1;
    freed?.();
  }
}

process.on("disconnect", () => process.exit(0));
for (;;) {
  while (active >= slots) await new Promise<void>((resolve) => (freed = resolve));
  const maxBatchSize = slots - active;
  const { jobs = [] } = await client.send(new PollForThirdPartyJobsCommand({ actionTypeId, maxBatchSize }));
  for (const { jobId = "" } of jobs) {
    active += 1;
    void work(jobId);
  }
  if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
}
