// What start and idle cost are measured against: a bare program that imports the SDK's client and polls once a second,
// or as often as its second argument says, in ms.
import { CodePipelineClient, PollForThirdPartyJobsCommand } from "@aws-sdk/client-codepipeline";

const [endpoint = "", restMs = "1000"] = process.argv.slice(2);
const client = new CodePipelineClient({ region: "us-east-1", endpoint });
const actionTypeId = { category: "Test", owner: "ThirdParty", provider: "Bench", version: "1" };
for (;;) {
  await client.send(new PollForThirdPartyJobsCommand({ actionTypeId, maxBatchSize: 1 }));
  await new Promise((resolve) => setTimeout(resolve, Number(restMs)));
}
