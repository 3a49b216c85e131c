// What handlers need of the one masker that knows every live secret: masking them, and adding their own.

/** The part of std's Masker that handlers use. */
export interface JobMasker {
  /** The text with every known secret replaced. */
  mask(text: string): string;
  /** Length of the longest secret that may turn up, in characters. */
  longestSecret(): number;
  /** Holds more secrets until the returned function is called. */
  keep(values: Iterable<string>): () => void;
}
