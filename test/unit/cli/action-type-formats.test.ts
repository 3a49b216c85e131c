// Promise: CloudFormation, Terraform and the CDK are told what CreateCustomActionType would be, whatever it is: readers
// that know nothing of the writers get the same input back.
import { stripTypeScriptTypes } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type CustomActionTypeInput, customActionTypeAs } from "../../../src/cli/action-type-formats.js";

const counts = fc.record({ minimumCount: fc.nat(5), maximumCount: fc.nat(5) });
/** A name of CodePipeline's; what a text may hold is more than any property's name does. */
const word = fc.stringMatching(/^[0-9A-Za-z_-]{1,9}$/);
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', `\${x}`, "%{if}", `$\${x}`, "\\", "\n", "#", "\b", "\f", "yes"),
);
const inputs: fc.Arbitrary<CustomActionTypeInput> = fc
  .record({
    category: fc.constantFrom("Build", "Test", "Deploy"),
    provider: word,
    version: word,
    configurationProperties: fc.array(
      fc.record({
        name: hostile,
        required: fc.boolean(),
        key: fc.boolean(),
        secret: fc.boolean(),
        type: fc.constant("String"),
      }),
      { maxLength: 3 },
    ),
    inputArtifactDetails: counts,
    outputArtifactDetails: counts,
  })
  .chain((input) =>
    fc
      .option(fc.record({ entityUrlTemplate: hostile }), { nil: undefined })
      .map((settings) => (settings ? { ...input, settings } : input)),
  );

const example: CustomActionTypeInput = {
  category: "Build",
  provider: "Acme-Build",
  version: "1",
  configurationProperties: [
    { name: "Project", required: true, key: true, secret: false, queryable: true, type: "String" },
  ],
  inputArtifactDetails: { minimumCount: 0, maximumCount: 5 },
  outputArtifactDetails: { minimumCount: 0, maximumCount: 5 },
};

type Tree = Readonly<Record<string, unknown>>;

describe("cloudformation", () => {
  const uncapital = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(uncapital);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name.replace(/^./, (c) => c.toLowerCase()), uncapital(each)]),
    );
  };

  it("says the same", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const template = parse(customActionTypeAs.cloudformation(input)) as { Resources: Record<string, Tree> };
        const [[id, { Type, Properties }] = ["", {} as Tree], ...others] = Object.entries(template.Resources);
        expect(others).toEqual([]);
        expect(id).toMatch(/^[A-Z][0-9A-Za-z]*$/);
        expect(Type).toBe("AWS::CodePipeline::CustomActionType");
        expect(uncapital(Properties)).toEqual(input);
      }),
    );
  });

  it("reads as people write it", () => {
    expect(customActionTypeAs.cloudformation(example)).toMatchInlineSnapshot(`
      "AWSTemplateFormatVersion: "2010-09-09"
      Resources:
        AcmeBuild1:
          Type: "AWS::CodePipeline::CustomActionType"
          Properties:
            Category: "Build"
            Provider: "Acme-Build"
            Version: "1"
            ConfigurationProperties:
              - Name: "Project"
                Required: true
                Key: true
                Secret: false
                Queryable: true
                Type: "String"
            InputArtifactDetails:
              MinimumCount: 0
              MaximumCount: 5
            OutputArtifactDetails:
              MinimumCount: 0
              MaximumCount: 5
      "
    `);
  });
});

describe("terraform", () => {
  /** As much of HCL as has one resource of literals, in blocks. */
  function read(text: string): { name: string; input: object } {
    const [, name = ""] = /^resource "aws_codepipeline_custom_action_type" "([a-z][a-z0-9_]*)" \{$/m.exec(text) ?? [];
    const blocks: Record<string, Record<string, unknown>[]> = {};
    const resource: Record<string, unknown> = {};
    let into = resource;
    for (const line of text.split("\n").slice(1, -2)) {
      const [, block] = /^ {2}(\w+) \{$/.exec(line) ?? [];
      const [, key = "", literal = ""] = /^ +(\w+) *= (.*)$/.exec(line) ?? [];
      if (block !== undefined) {
        into = {};
        blocks[block] = [...(blocks[block] ?? []), into];
      } else if (line === "  }") into = resource;
      else if (line !== "") into[camel(key)] = literalOf(literal);
    }
    const { category, providerName: provider, version } = resource;
    const [inputArtifactDetails] = blocks["input_artifact_details"] ?? [];
    const [outputArtifactDetails] = blocks["output_artifact_details"] ?? [];
    const configurationProperties = blocks["configuration_property"] ?? [];
    const [settings] = blocks["settings"] ?? [];
    const details = { inputArtifactDetails, outputArtifactDetails, ...(settings ? { settings } : {}) };
    return { name, input: { category, provider, version, configurationProperties, ...details } };
  }
  const camel = (name: string) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

  /** `$${` and `%%{` are texts; a single one would be a template, which nobody meant. */
  function literalOf(text: string): unknown {
    expect(text.replaceAll(/\$\$\{|%%\{/g, "")).not.toMatch(/[$%]\{/);
    expect(text.replaceAll(/\\(?:["\\nrt]|u[0-9a-f]{4})/g, "")).not.toContain("\\");
    return JSON.parse(text.replaceAll(/([$%])\1\{/g, "$1{"));
  }

  it("says the same", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { name, input: found } = read(customActionTypeAs.terraform(input));
        expect(name).toMatch(/^[a-z]/);
        expect(found).toEqual(input);
      }),
    );
  });

  it("reads as people write it", () => {
    expect(customActionTypeAs.terraform(example)).toMatchInlineSnapshot(`
      "resource "aws_codepipeline_custom_action_type" "acme_build_1" {
        category      = "Build"
        provider_name = "Acme-Build"
        version       = "1"

        configuration_property {
          name      = "Project"
          required  = true
          key       = true
          secret    = false
          queryable = true
          type      = "String"
        }

        input_artifact_details {
          minimum_count = 0
          maximum_count = 5
        }

        output_artifact_details {
          minimum_count = 0
          maximum_count = 5
        }
      }
      "
    `);
  });
});

describe("cdk", () => {
  /** Runs the program with a construct of ours. */
  function built(text: string): readonly unknown[] {
    const [, name = ""] = /^export function (\w+)\(/m.exec(text) ?? [];
    const code = stripTypeScriptTypes(text)
      .replaceAll(/^import .*$/gm, "")
      .replace(/^export /m, "");
    class CfnCustomActionType {
      readonly words: readonly unknown[];
      constructor(...words: readonly unknown[]) {
        this.words = words;
      }
    }
    const make = new Function("CfnCustomActionType", `${code}; return ${name};`)(CfnCustomActionType);
    return (make("the stack") as CfnCustomActionType).words;
  }

  it("says the same", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(built(customActionTypeAs.cdk(input))).toEqual(["the stack", expect.stringMatching(/^[A-Z]\w*$/), input]);
      }),
    );
  });

  it("reads as people write it", () => {
    expect(customActionTypeAs.cdk(example)).toMatchInlineSnapshot(`
      "import { CfnCustomActionType } from "aws-cdk-lib/aws-codepipeline";
      import type { Construct } from "constructs";

      export function addAcmeBuild1(scope: Construct): CfnCustomActionType {
        return new CfnCustomActionType(scope, "AcmeBuild1", {
          category: "Build",
          provider: "Acme-Build",
          version: "1",
          configurationProperties: [
            {
              name: "Project",
              required: true,
              key: true,
              secret: false,
              queryable: true,
              type: "String"
            }
          ],
          inputArtifactDetails: {
            minimumCount: 0,
            maximumCount: 5
          },
          outputArtifactDetails: {
            minimumCount: 0,
            maximumCount: 5
          }
        });
      }
      "
    `);
  });
});
