// A custom action type as others declare it: CloudFormation, Terraform and the AWS CDK. Each says the same as the input of
// CreateCustomActionType, and nothing more. Pure; it knows no configuration.
import { stringify } from "yaml";
import type { ActionTypeFormat } from "./action-type-choices.js";

/** The input of CreateCustomActionType, as far as partnerd gives it. */
export interface CustomActionTypeInput {
  readonly category: string;
  readonly provider: string;
  readonly version: string;
  readonly configurationProperties: readonly Properties[];
  readonly inputArtifactDetails: Properties;
  readonly outputArtifactDetails: Properties;
  readonly settings?: Properties;
}

type Properties = Readonly<Record<string, string | number | boolean>>;

/** The declaration, as a document that stands alone. */
export const customActionTypeAs: Readonly<Record<ActionTypeFormat, (input: CustomActionTypeInput) => string>> = {
  json: (input) => `${JSON.stringify(input, undefined, 2)}\n`,
  cloudformation,
  terraform,
  cdk,
};

/** A template, with one resource of the type AWS::CodePipeline::CustomActionType. */
function cloudformation(input: CustomActionTypeInput): string {
  const resource = { Type: "AWS::CodePipeline::CustomActionType", Properties: inPascalCase(input) };
  const template = { AWSTemplateFormatVersion: "2010-09-09", Resources: { [pascalName(input)]: resource } };
  // In quotes all of it: CloudFormation reads an older YAML, in which more words than here are no texts.
  return stringify(template, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" });
}

/** CloudFormation's names of the members are the API's with a capital. */
function inPascalCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inPascalCase);
  if (typeof value !== "object" || value === null) return value;
  const capital = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [capital(name), inPascalCase(each)]));
}

/** A resource of the provider hashicorp/aws. */
function terraform(input: CustomActionTypeInput): string {
  const { category, provider, version } = input;
  const blocks = [
    ...input.configurationProperties.map((each) => ["configuration_property", each] as const),
    ["input_artifact_details", input.inputArtifactDetails] as const,
    ["output_artifact_details", input.outputArtifactDetails] as const,
    ...(input.settings ? [["settings", input.settings] as const] : []),
  ];
  return [
    `resource "aws_codepipeline_custom_action_type" "${snakeName(input)}" {`,
    ...assignments({ category, provider_name: provider, version }, "  "),
    ...blocks.flatMap(([name, members]) => ["", `  ${name} {`, ...assignments(members, "    "), "  }"]),
    "}",
    "",
  ].join("\n");
}

/** One line each, with the equals signs below each other, as `terraform fmt` has them. */
function assignments(members: Properties, indent: string): readonly string[] {
  const entries = Object.entries(members).map(
    ([name, value]) => [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value] as const,
  );
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${indent}${name.padEnd(width)} = ${hcl(value)}`);
}

/** A literal. What begins a template in HCL is doubled, so that it stays text; two of JSON's escapes are not HCL's. */
function hcl(value: string | number | boolean): string {
  const escapes: Readonly<Record<string, string>> = { "\\b": "\\u0008", "\\f": "\\u000c" };
  return JSON.stringify(value)
    .replaceAll(/\\./g, (each) => escapes[each] ?? each)
    .replaceAll(/[$%](?=\{)/g, "$&$&");
}

/** A function that adds the type to a stack, in TypeScript. */
function cdk(input: CustomActionTypeInput): string {
  const id = pascalName(input);
  // Member names need no quotes in TypeScript, and people write none.
  const props = JSON.stringify(input, undefined, 2).replaceAll(/^( *)"(\w+)":/gm, "$1$2:");
  return [
    'import { CfnCustomActionType } from "aws-cdk-lib/aws-codepipeline";',
    'import type { Construct } from "constructs";',
    "",
    `export function add${id}(scope: Construct): CfnCustomActionType {`,
    `  return new CfnCustomActionType(scope, ${JSON.stringify(id)}, ${props.replaceAll("\n", "\n  ")});`,
    "}",
    "",
  ].join("\n");
}

/** Such as `AcmeBuild1` for the provider Acme-Build, version 1. A provider may begin with a digit; no identifier may. */
function pascalName({ provider, version }: CustomActionTypeInput): string {
  const words = `${provider}-${version}`.split(/[^0-9A-Za-z]+/).filter((word) => word !== "");
  const name = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
  return /^[A-Z]/.test(name) ? name : `ActionType${name}`;
}

function snakeName({ provider, version }: CustomActionTypeInput): string {
  const name = `${provider}_${version}`.toLowerCase().replaceAll(/[^0-9a-z]+/g, "_");
  return /^[a-z]/.test(name) ? name : `action_type_${name}`;
}
