// What a look at one thing comes to.

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, such as `clock` or `handler scan`. */
  readonly subject: string;
  readonly verdict: "ok" | "warning" | "failed";
  readonly message: string;
  /** What to do. Always there unless all is well. */
  readonly remedy?: string;
}
