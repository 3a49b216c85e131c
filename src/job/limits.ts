// The API's length limits, as AWS's service model states them, and the shortening that keeps to them.
// Lengths are counted in UTF-16 units without cutting a surrogate pair: safe whichever way the service counts.

/** Most characters of each text that a result may carry. */
export const limits = {
  failureMessage: 5_000,
  executionSummary: 2_048,
  externalExecutionId: 1_500,
  continuationToken: 2_048,
  revision: 1_500,
  revisionChangeIdentifier: 100,
  revisionSummary: 2_048,
  clientToken: 256,
  nonce: 50,
  thirdPartyJobId: 512,
} as const;

/** Most bytes of all output variables of one action together, names and values (CodePipeline quotas). */
export const outputVariablesMaxBytes = 122_880;
/** Names of output variables (PutJobSuccessResult). */
export const outputVariableName = /^[A-Za-z0-9@_-]+$/;
/** `percentComplete` runs from 0 to this. */
export const percentMax = 100;

const mark = " … [shortened by partnerd]";
const frontMark = "[shortened by partnerd] … ";

/** At most `max` UTF-16 units, never half a surrogate pair. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? max - 1 : max);
}

/** The text within `max` characters; what was cut is marked, so that the reader knows. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  return max <= mark.length ? cut(text, max) : cut(text, max - mark.length) + mark;
}

/** The last `max` characters, marked in front: for logs whose end tells the cause. */
export function shortenFront(text: string, max: number): string {
  if (text.length <= max) return text;
  return max <= frontMark.length ? cutFront(text, max) : frontMark + cutFront(text, max - frontMark.length);
}

/** The last `max` UTF-16 units, never half a surrogate pair. */
function cutFront(text: string, max: number): string {
  const tail = text.slice(text.length - max);
  const first = tail.charCodeAt(0);
  return first >= 0xdc00 && first <= 0xdfff ? tail.slice(1) : tail;
}
