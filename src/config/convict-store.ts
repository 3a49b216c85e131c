// convict, with this configuration's formats: it knows the defaults, reads variables and flags as the kind of value that
// a key has, and checks the end result. Places and messages are not its own: it reports neither lines nor remedies.
import convict from "convict";
import type { Section, Setting } from "./setting.js";

export type Store = convict.Config<Record<string, unknown>>;

/** A store of these keys: their defaults, with what these variables say. Never its own look at the process. */
export function openStore(section: Section, variables: Readonly<Record<string, string>> = {}): Store {
  convict.addFormats({
    text: { validate },
    // Never parseInt, as convict's own formats do: it takes 10 out of `10s`.
    number: { validate, coerce: (text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim()) ? Number(text) : text) },
    switch: { validate, coerce: (text) => (text === "true" ? true : text === "false" ? false : text) },
    list: { validate, coerce: (text: string) => text.split(",").map((part) => part.trim()) },
    map: { validate },
  });
  return convict(section as convict.Schema<Record<string, unknown>>, { env: variables, args: [] });
}

function validate(value: unknown, schema: convict.SchemaObj): void {
  const [problem] = (schema as unknown as Setting).kind.problems(value);
  if (problem) throw new Error(problem.what);
}
