// Checks documents against named shapes: the service model's for API calls, our own for the control API.
// Compiled once into closures; collects every mistake. It never changes a document and never repeats a secret value.

/**
 * One named shape. Members read `name! Shape, other Shape`: `!` marks a required one, and a shape left out is the
 * member's name with a capital. Lengths count UTF-16 units, or entries of a list or map.
 */
export type Shape =
  | { readonly type: "structure"; readonly members: string }
  | { readonly type: "list"; readonly of: string; readonly min?: number; readonly max?: number }
  | { readonly type: "map"; readonly key: string; readonly of: string; readonly min?: number; readonly max?: number }
  | {
      readonly type: "string";
      readonly min?: number;
      readonly max?: number;
      /** Unanchored, as in the service model; the whole text must match it. */
      readonly pattern?: string;
      readonly enum?: readonly string[];
      readonly sensitive?: boolean;
    }
  | { readonly type: "integer" | "number"; readonly min?: number; readonly max?: number }
  | { readonly type: "boolean" | "timestamp" | "document" };

/** One mistake in a document. */
export interface ShapeProblem {
  /** Where, as AWS writes it: `failureDetails.message`, `tags.1.member.key`. */
  readonly path: string;
  /** `type`: not the kind of value expected; `constraint`: a value out of bounds; `unknown`: no such member. */
  readonly kind: "type" | "constraint" | "unknown";
  /** What must hold, as AWS words it: `Member must not be null`. */
  readonly constraint: string;
  /** The value, quoted, as an error may show it; nothing for a sensitive one. */
  readonly shown: string | undefined;
}

type Check = (value: unknown, path: string, problems: ShapeProblem[]) => void;

/** No answer lists more mistakes than this. */
const problemsMax = 50;
/** No error repeats more of a value than this, in characters. */
const shownMax = 1_024;

/** A set of named shapes that documents can be checked against. */
export class Shapes {
  readonly #shapes: Readonly<Record<string, Shape>>;
  readonly #refuseUnknown: boolean;
  readonly #checks = new Map<string, Check>();

  constructor(options: {
    readonly shapes: Readonly<Record<string, Shape>>;
    /** AWS ignores members that it does not know; our own documents refuse them, since they are typing mistakes. */
    readonly unknownMembers: "ignore" | "refuse";
  }) {
    this.#shapes = options.shapes;
    this.#refuseUnknown = options.unknownMembers === "refuse";
  }

  /** Every mistake of `document` against the shape; at most 50. Throws when no such shape is known. */
  check(shape: string, document: unknown): readonly ShapeProblem[] {
    const problems: ShapeProblem[] = [];
    this.#compiled(shape)(document, "", problems);
    return problems.slice(0, problemsMax);
  }

  #compiled(name: string): Check {
    const known = this.#checks.get(name);
    if (known) return known;
    const shape = this.#shapes[name];
    if (!shape) throw new Error(`no shape named ${name}`);
    const check = this.#compile(shape);
    this.#checks.set(name, check);
    return check;
  }

  #compile(shape: Shape): Check {
    switch (shape.type) {
      case "structure":
        return this.#structure(shape.members);
      case "list":
        return this.#list(shape);
      case "map":
        return this.#map(shape);
      case "string":
        return stringCheck(shape);
      case "integer":
      case "number":
        return numberCheck(shape);
      case "timestamp":
        return numberCheck({ type: "number" });
      case "boolean":
        return (value, path, problems) => {
          if (typeof value !== "boolean") problems.push(wrongType(value, path, "a Boolean"));
        };
      case "document":
        return () => {};
    }
  }

  #structure(text: string): Check {
    const members = parseMembers(text).map((member) => ({ ...member, check: this.#compiled(member.shape) }));
    const names = new Set(members.map((member) => member.name));
    return (value, path, problems) => {
      if (!isRecord(value)) {
        problems.push(wrongType(value, path, "an Object"));
        return;
      }
      for (const { name, isRequired, check } of members) {
        if (problems.length >= problemsMax) return;
        const member = Object.hasOwn(value, name) ? value[name] : undefined;
        if (member !== undefined && member !== null) check(member, joined(path, name), problems);
        else if (isRequired) problems.push(missing(joined(path, name)));
      }
      if (!this.#refuseUnknown) return;
      for (const name of Object.keys(value)) {
        if (!names.has(name)) problems.push(unknownMember(joined(path, name), names));
      }
    };
  }

  #list(shape: Shape & { type: "list" }): Check {
    const check = this.#compiled(shape.of);
    return (value, path, problems) => {
      if (!Array.isArray(value)) {
        problems.push(wrongType(value, path, "a List"));
        return;
      }
      checkLength(value.length, shape, problems, path, () => "[…]");
      for (const [index, element] of value.entries()) {
        if (problems.length >= problemsMax) return;
        const at = joined(path, `${index + 1}.member`);
        if (element === null) problems.push(missing(at));
        else check(element, at, problems);
      }
    };
  }

  #map(shape: Shape & { type: "map" }): Check {
    const checkKey = this.#compiled(shape.key);
    const checkValue = this.#compiled(shape.of);
    return (value, path, problems) => {
      if (!isRecord(value)) {
        problems.push(wrongType(value, path, "a Map"));
        return;
      }
      const entries = Object.entries(value);
      checkLength(entries.length, shape, problems, path, () => "{…}");
      for (const [key, element] of entries) {
        if (problems.length >= problemsMax) return;
        checkEntry({ text: key, value: key, path, check: checkKey, side: "keys" }, problems);
        if (element === null) problems.push(missing(joined(path, `${cut(key)}.member`)));
        else checkEntry({ text: key, value: element, path, check: checkValue, side: "value" }, problems);
      }
    };
  }
}

interface MapEntry {
  readonly text: string;
  readonly value: unknown;
  readonly path: string;
  readonly check: Check;
  readonly side: "keys" | "value";
}

/** AWS folds what is wrong with a key or a value of a map into one constraint of the map. */
function checkEntry(entry: MapEntry, problems: ShapeProblem[]): void {
  const found: ShapeProblem[] = [];
  entry.check(entry.value, joined(entry.path, `${cut(entry.text)}.member`), found);
  const constraints = found.filter((problem) => problem.kind === "constraint" && isScalar(entry.value));
  problems.push(...found.filter((problem) => !constraints.includes(problem)));
  if (constraints.length === 0) return;
  const list = constraints.map((problem) => problem.constraint).join(", ");
  problems.push({
    path: entry.path,
    kind: "constraint",
    constraint: `Map ${entry.side} must satisfy constraint: [${list}]`,
    shown: constraints.some((problem) => problem.shown === undefined) ? undefined : `'{${cut(entry.text)}=…}'`,
  });
}

function stringCheck(shape: Shape & { type: "string" }): Check {
  const pattern = shape.pattern === undefined ? undefined : new RegExp(`^(?:${shape.pattern})$`);
  const values = shape.enum && new Set(shape.enum);
  return (value, path, problems) => {
    if (typeof value !== "string") {
      problems.push(wrongType(value, path, "a String"));
      return;
    }
    const shown = () => (shape.sensitive ? undefined : cut(value));
    checkLength(value.length, shape, problems, path, shown);
    // A text over its limit is not matched as well: patterns run on bounded texts only.
    if (pattern && value.length <= (shape.max ?? shownMax) && !pattern.test(value)) {
      problems.push(broken(path, `Member must satisfy regular expression pattern: ${shape.pattern}`, shown()));
    }
    if (values && !values.has(value)) {
      problems.push(broken(path, `Member must satisfy enum value set: [${[...values].join(", ")}]`, shown()));
    }
  };
}

function numberCheck(shape: Shape & { type: "integer" | "number" }): Check {
  const wanted = shape.type === "integer" ? "an Integer" : "a Number";
  return (value, path, problems) => {
    const fits = shape.type === "integer" ? isInteger32(value) : typeof value === "number" && Number.isFinite(value);
    if (typeof value !== "number" || !fits) {
      problems.push(wrongType(value, path, wanted));
      return;
    }
    if (shape.min !== undefined && value < shape.min) {
      problems.push(broken(path, `Member must have value greater than or equal to ${shape.min}`, String(value)));
    }
    if (shape.max !== undefined && value > shape.max) {
      problems.push(broken(path, `Member must have value less than or equal to ${shape.max}`, String(value)));
    }
  };
}

function checkLength(
  length: number,
  limits: { readonly min?: number; readonly max?: number },
  problems: ShapeProblem[],
  path: string,
  shown: () => string | undefined,
): void {
  if (limits.max !== undefined && length > limits.max) {
    problems.push(broken(path, `Member must have length less than or equal to ${limits.max}`, shown()));
  }
  if (limits.min !== undefined && length < limits.min) {
    problems.push(broken(path, `Member must have length greater than or equal to ${limits.min}`, shown()));
  }
}

function parseMembers(text: string): { readonly name: string; readonly shape: string; readonly isRequired: boolean }[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const [first = "", shape] = part.split(/\s+/);
      const isRequired = first.endsWith("!");
      const name = isRequired ? first.slice(0, -1) : first;
      return { name, isRequired, shape: shape ?? name.charAt(0).toUpperCase() + name.slice(1) };
    });
}

/** True for a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInteger32(value: unknown): boolean {
  return Number.isInteger(value) && value === (Number(value) | 0);
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object";
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function cut(text: string): string {
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}

function broken(path: string, constraint: string, shown: string | undefined): ShapeProblem {
  return { path, kind: "constraint", constraint, shown: shown === undefined ? undefined : `'${shown}'` };
}

function missing(path: string): ShapeProblem {
  return { path, kind: "constraint", constraint: "Member must not be null", shown: "null" };
}

function unknownMember(path: string, names: ReadonlySet<string>): ShapeProblem {
  const constraint = `Member must be one of: ${[...names].join(", ")}`;
  return { path: cut(path), kind: "unknown", constraint, shown: undefined };
}

function wrongType(value: unknown, path: string, wanted: string): ShapeProblem {
  return { path, kind: "type", constraint: `${jsonKind(value)} can not be converted to ${wanted}`, shown: undefined };
}

/** The names that AWS's parser gives to what it found. */
function jsonKind(value: unknown): string {
  if (value === null || value === undefined) return "NULL_VALUE";
  if (Array.isArray(value)) return "START_ARRAY";
  if (typeof value === "object") return "START_OBJECT";
  if (typeof value === "number") return Number.isInteger(value) ? "NUMBER_VALUE" : "DECIMAL_VALUE";
  return typeof value === "string" ? "STRING_VALUE" : value === true ? "TRUE_VALUE" : "FALSE_VALUE";
}
