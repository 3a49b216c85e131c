// A module handler whose action configuration is checked before it runs, by whatever schema library the partner likes:
// zod, valibot, arktype and others share the interface Standard Schema (version 1), of which this is the part used here.
import { type Failed, failed, type Outcome } from "../job/outcome.js";
import type { Handler, HandlerJob } from "./handler.js";

/** A schema of any library with the interface Standard Schema, version 1 (standardschema.dev). */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What `run` gets: the job, with the configuration as the schema gives it. */
export interface DefinedJob<Configuration> extends Omit<HandlerJob, "configuration"> {
  readonly configuration: Configuration;
}

export interface HandlerDefinition<Configuration> {
  /** Of the action's configuration, an object of texts; may turn them into other types. */
  readonly configuration: StandardSchema<Configuration>;
  /** Does the job; to fail it, throw JobFailure or return failed(). */
  readonly run: (job: DefinedJob<Configuration>) => Outcome | Promise<Outcome>;
}

/**
 * Makes a handler that checks and types the action's configuration first. A configuration that the schema rejects fails
 * the job as ConfigurationError, with a message that names each property: the customer reads it.
 */
export function defineHandler<Configuration>(definition: HandlerDefinition<Configuration>): Handler {
  const { configuration: schema, run } = definition;
  return async (job) => {
    const result = await schema["~standard"].validate(job.configuration);
    if (result.issues) return rejected(result.issues);
    return run({ ...job, configuration: result.value });
  };
}

/** As many as a person corrects at once. */
const issuesMax = 10;

function rejected(issues: readonly SchemaIssue[]): Failed {
  const sentences = issues.slice(0, issuesMax).map(({ path, message }) => {
    const name = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return name === "" ? message : `${name}: ${message}`;
  });
  const more = issues.length > issuesMax ? `; and ${issues.length - issuesMax} more` : "";
  return failed(`the action's configuration is not valid: ${sentences.join("; ")}${more}`, "ConfigurationError");
}
