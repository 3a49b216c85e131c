import { expect, it } from "vitest";
import { artifactEndpoint } from "../../../src/artifacts/opening.js";

it.each<[string | undefined, string | undefined, string | undefined]>([
  [undefined, undefined, undefined],
  ["http://s3.test", undefined, "http://s3.test"],
  ["http://s3.test", "https://codepipeline.us-east-1.amazonaws.com", "http://s3.test"],
  [undefined, "http://127.0.0.1:4599", "http://127.0.0.1:4599"],
  [undefined, "https://codepipeline.us-east-1.amazonaws.com", undefined],
  [undefined, "https://codepipeline-fips.us-gov-west-1.amazonaws.com/", undefined],
  [undefined, "https://codepipeline.eu-west-1.api.aws", undefined],
  [undefined, "https://codepipeline.cn-north-1.amazonaws.com.cn", undefined],
  [undefined, "https://vpce-1.codepipeline.us-east-1.vpce.amazonaws.com", undefined],
  [undefined, "http://amazonaws.com.example.net:80", "http://amazonaws.com.example.net:80"],
])("artifacts of endpoint %s beside CodePipeline at %s are at %s", (own, codePipeline, expected) => {
  expect(artifactEndpoint(own, codePipeline)).toBe(expected);
});
