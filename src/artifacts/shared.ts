// What all jobs share and the first that needs it brings about. What could not be had is not remembered: a shortage of
// open files at the wrong moment must not take artifacts from every later job.

/** One thing, made when it is first asked for. */
export class Shared<T> {
  readonly #make: () => Promise<T>;
  #made: Promise<T> | undefined;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  /** The one for all. Throws what making it throws; the next caller tries again. */
  get(): Promise<T> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** What was made, or is being made; undefined when there is nothing, so that nothing has to be closed. */
  async made(): Promise<T | undefined> {
    return this.#made?.catch(() => undefined);
  }
}
