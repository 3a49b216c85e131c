// The JSON Schemas of every document that others write or read, by name: for `partnerd schema`, and for the build, which
// writes them into the package as schemas/NAME.json. Naming them loads none.

/** Each by its name. */
export const documentSchemas: Readonly<Record<string, () => Promise<object>>> = {
  configuration: async () => (await import("../config/json-schema.js")).configurationSchema(),
  "job-document.v1": async () => (await import("../handlers/job-document.js")).jobDocumentSchema,
  "job-story.v1": async () => (await import("../admin/job-story.js")).jobStorySchema,
  "outcome-document.v1": async () => (await import("../handlers/job-document.js")).outcomeDocumentSchema,
};
