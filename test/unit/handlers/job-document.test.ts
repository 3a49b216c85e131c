import { describe, expect, it } from "vitest";
import { jobDocument, jobDocumentSchema } from "../../../src/handlers/job-document.js";
import type { AccountName } from "../../../src/job/job.js";
import { aCall, jobSecrets } from "../../fixtures/handlers/call.js";

describe("jobDocument", () => {
  it("holds what a third-party job has", () => {
    expect(jobDocument(aCall({ continuationToken: "t-1" }))).toEqual({
      version: 1,
      jobId: "6b1c7f6e-0000-4000-8000-000000000001",
      region: "eu-west-1",
      clientId: "c0ffee00-0000-4000-8000-00000000000c",
      actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
      configuration: { Target: "main" },
      pipeline: { pipelineName: "web", stageName: "Test", actionName: "Scan", actionExecutionId: "ae-1" },
      continuationToken: "t-1",
      inputs: [{ name: "Source", revision: "r1" }],
      outputs: [{ name: "Report" }],
      deadline: "2026-01-01T01:00:00.000Z",
    });
  });

  it("holds the account, and no client, of a custom job", () => {
    const document = jobDocument(aCall({ owner: "Custom" }));
    expect(document.accountId).toBe("123456789012");
    expect(document).not.toHaveProperty("clientId");
    expect(document).not.toHaveProperty("continuationToken");
  });

  it("holds the name of the account by whose credentials CodePipeline is called, apart from whose job it is", () => {
    const call = aCall({ owner: "Custom" });
    expect(jobDocument(call)).not.toHaveProperty("account");
    const key = { ...call.job.key, account: "shop" as AccountName };
    const document = jobDocument({ ...call, job: { ...call.job, key } });
    expect([document.account, document.accountId]).toEqual(["shop", "123456789012"]);
    expect(Object.keys(jobDocumentSchema.properties)).toContain("account");
  });

  it("holds no nonce, no credentials and no artifact locations", () => {
    const text = JSON.stringify(jobDocument(aCall()));
    for (const secret of [...jobSecrets, "bucket", "secret"]) expect(text).not.toContain(secret);
  });

  it("keeps configuration properties with the names of an object's own parts", () => {
    const configuration = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;
    const text = JSON.stringify(jobDocument(aCall({ configuration })).configuration);
    expect(text).toBe('{"__proto__":"a","constructor":"b"}');
  });
});

describe("the schemas", () => {
  it("describe every member of a job document, and require those that are always there", () => {
    const full = jobDocument(aCall({ continuationToken: "t-1" }));
    const custom = jobDocument(aCall({ owner: "Custom" }));
    const described = Object.keys(jobDocumentSchema.properties);
    expect(described).toEqual(expect.arrayContaining([...Object.keys(full), ...Object.keys(custom)]));
    for (const name of jobDocumentSchema.required) {
      expect(full).toHaveProperty(name);
      expect(custom).toHaveProperty(name);
    }
    expect(Object.keys(jobDocumentSchema.properties.pipeline.properties)).toEqual(
      expect.arrayContaining(Object.keys(full.pipeline)),
    );
  });
});
