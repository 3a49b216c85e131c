// What is wrong with a configuration: where, what, and what to do. All of it at once, never only the first.
// Never holds the value of a secret.

/** Where a value or a mistake stands. */
export type Place =
  | FilePlace
  | { readonly kind: "environment"; readonly name: string; readonly directory: string }
  | { readonly kind: "flag"; readonly name: string; readonly directory: string }
  /** Given by a program as an object; `directory` is where relative names of files start. */
  | { readonly kind: "object"; readonly directory: string }
  | { readonly kind: "default" };

/** `file` as the user named it, `directory` absolute: relative paths start there. Lines and columns count from 1. */
export interface FilePlace {
  readonly kind: "file";
  readonly file: string;
  readonly directory: string;
  readonly line: number;
  readonly column: number;
}

/** One mistake of a configuration, in words for the person who wrote it. */
export interface Mistake {
  /** `partnerd.yaml:12`, `PARTNERD_LOG_LEVEL`, `--set`; empty when there is no such place. */
  readonly where: string;
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
  /** The lines around it, without what may be secret. */
  readonly excerpt?: readonly string[];
}

/** A configuration that cannot be used. `mistakes` has all that is wrong with it. */
export class ConfigError extends Error {
  readonly code = "config-invalid";
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(describeMistake).join("; "));
    this.name = "ConfigError";
    this.mistakes = mistakes;
  }
}

/** Mistakes kept of one configuration: a megabyte of nonsense must not become a gigabyte of messages. */
const mistakesMax = 100;

/** Collects what is found while a configuration is read. */
export class Findings {
  readonly #mistakes: Found[] = [];
  readonly #warnings: Found[] = [];
  #leftOut = 0;

  /** In the order in which a reader of the file meets them. */
  get mistakes(): readonly Mistake[] {
    if (this.#leftOut === 0) return inOrder(this.#mistakes);
    const more = { where: "", what: `${this.#leftOut} more mistakes are not shown`, remedy: "correct these first" };
    return [...inOrder(this.#mistakes), more];
  }

  /** Worth a look, but the configuration can be used. */
  get warnings(): readonly Mistake[] {
    return inOrder(this.#warnings);
  }

  mistake(place: Place | undefined, what: string, remedy: string, excerpt?: readonly string[]): void {
    if (this.#mistakes.length < mistakesMax) this.#mistakes.push({ place, what, remedy, ...(excerpt && { excerpt }) });
    else this.#leftOut++;
  }

  warn(place: Place | undefined, what: string, remedy: string): void {
    if (this.#warnings.length < mistakesMax) this.#warnings.push({ place, what, remedy });
  }
}

interface Found extends Omit<Mistake, "where"> {
  readonly place: Place | undefined;
}

/** File by file and line by line; what has no line comes last. */
function inOrder(found: readonly Found[]): readonly Mistake[] {
  const files = [...new Set(found.map(({ place }) => (place?.kind === "file" ? place.file : "")))];
  const rank = ({ place }: Found) => (place?.kind === "file" ? files.indexOf(place.file) : files.length);
  const line = ({ place }: Found) => (place?.kind === "file" ? place.line : 0);
  return found
    .toSorted((a, b) => rank(a) - rank(b) || line(a) - line(b))
    .map(({ place, ...rest }) => ({ where: describePlace(place), ...rest }));
}

/** `partnerd.yaml:12: polling.minInterval is …; write 10s`. */
export function describeMistake(mistake: Mistake): string {
  const where = mistake.where === "" ? "" : `${mistake.where}: `;
  return `${where}${mistake.what}${mistake.remedy === "" ? "" : `; ${mistake.remedy}`}`;
}

/** For a terminal: the line, and below it the lines of the file around it. */
export function printMistake(mistake: Mistake): string {
  return `${[describeMistake(mistake), ...(mistake.excerpt ?? [])].join("\n")}\n`;
}

/** The short name of a place; empty for a default. */
export function describePlace(place: Place | undefined): string {
  switch (place?.kind) {
    case undefined:
    case "default":
    case "object":
      return "";
    case "file":
      return `${place.file}:${place.line}`;
    case "environment":
    case "flag":
      return place.name;
  }
}
