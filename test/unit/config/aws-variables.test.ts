import { describe, expect, it } from "vitest";
import { mistakesOfAwsVariables as mistakesOf } from "../../../src/config/aws-variables.js";

describe("AWS's own variables", () => {
  it.each([
    ["AWS_ACCESS_KEY_ID", "AKIAEXAMPLE\n", "ends in a line break"],
    ["AWS_SECRET_ACCESS_KEY", "wJalr\r\n", "ends in a line break"],
    ["AWS_SESSION_TOKEN", " FwoG", "starts or ends with white space"],
    ["AWS_SESSION_TOKEN", "Fwo\u00e9G", "holds a character that HTTP headers cannot carry"],
    ["AWS_SECRET_ACCESS_KEY", "wJa\u0000lr", "holds a control character"],
    ["AWS_REGION", "us-east-1\r", "ends in a line break"],
    ["AWS_PROFILE", '"blog"', "has quotes that are part of its value"],
    ["AWS_CONTAINER_AUTHORIZATION_TOKEN", " ", "starts or ends with white space"],
    ["AWS_ENDPOINT_URL", "http://127.0.0.1:4599\t", "starts or ends with white space"],
    ["AWS_ENDPOINT_URL", "localhost:4599", "is not an http or https URL"],
    ["AWS_ENDPOINT_URL_CODEPIPELINE", "codepipeline.example", "is not an http or https URL"],
    ["AWS_ENDPOINT_URL_S3", "https://", "is not an http or https URL"],
  ])("%s=%j is a mistake that names it and shows no value", (name, value, what) => {
    expect(mistakesOf({ [name]: value })).toEqual([expect.objectContaining({ variable: name, what })]);
    expect(JSON.stringify(mistakesOf({ [name]: value }))).not.toContain(value.trim() || "\u0000");
  });

  it("leaves the rest alone", () => {
    const fine = { AWS_ACCESS_KEY_ID: "AKIA", AWS_REGION: "", AWS_PROFILE: "my profile", OTHER: "x\n" };
    expect(mistakesOf({ AWS_ENDPOINT_URL: "HTTPS://s3.example/", AWS_ENDPOINT_URL_S3: "http://[::1]:9000" })).toEqual(
      [],
    );
    expect(mistakesOf({ ...fine, AWS_CONFIG_FILE: "/home/jos\u00e9/.aws/config" })).toEqual([]);
  });
});
