// Where S3 is asked for buckets of every form that a pipeline may name. No host is called: the addresses are those of
// the pre-signed links, which are made by the same rules.
import { afterEach, expect, it } from "vitest";
import { signLinks } from "../../../../src/artifacts/s3/signed-links.js";
import type { Job } from "../../../../src/job/job.js";
import { callsTo } from "../../../support/s3-calls.js";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

it.each([
  ["a plain name", "my-bucket", /^https:\/\/my-bucket\.s3\.us-east-1\.amazonaws\.com\/a\/k\.zip\?/],
  [
    "a name with dots, of which no certificate knows",
    "my.dotted.bucket",
    /^https:\/\/s3\.us-east-1\.amazonaws\.com\/my\.dotted\.bucket\/a\/k\.zip\?/,
  ],
  [
    "an access point's alias",
    "ap-abcdefghijklmnop-s3alias",
    /^https:\/\/ap-abcdefghijklmnop-s3alias\.s3\.us-east-1\.amazonaws\.com\/a/,
  ],
  [
    "an access point's ARN",
    "arn:aws:s3:us-east-1:123456789012:accesspoint/builds",
    /^https:\/\/builds-123456789012\.s3-accesspoint\.us-east-1\.amazonaws\.com\/a\/k\.zip\?/,
  ],
  [
    "an access point of another Region",
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/builds",
    /^https:\/\/builds-123456789012\.s3-accesspoint\.eu-west-1\.amazonaws\.com\/.*%2Feu-west-1%2Fs3%2F/,
  ],
])("is right for %s", async (_title, bucket, expected) => {
  const { calls, close } = callsTo(undefined);
  closing.push(close);
  const inputs = [{ name: "Source", location: { bucket, objectKey: "a/k.zip" } }];
  const job = { inputs, outputs: [] } as unknown as Job;
  const links = await signLinks({ calls, job, signal: new AbortController().signal });
  expect(links.inputs[0]?.url).toMatch(expected);
});
