// Packages that only some configurations need: not installed with partnerd, and loaded when they are used first.

/** A package that is not installed. The message names it and how to get it. */
export class MissingPackage extends Error {
  constructor(what: string, packageName: string, cause: unknown) {
    super(`${what} needs the package ${packageName}: npm install ${packageName}`, { cause });
    this.name = "MissingPackage";
  }
}

/** Loads the package by `load`. Throws MissingPackage, whose text begins with `what`, when it is not there. */
export async function loadOptional<T>(what: string, packageName: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    // A package of its own that is missing has another name in the text, which comes from Node.
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing || !error.message.includes(`'${packageName}'`)) throw error;
    throw new MissingPackage(what, packageName, error);
  }
}
