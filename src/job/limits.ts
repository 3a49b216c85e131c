// The API's length limits, as AWS's service model states them, and the texts that keep to them: short enough, and made
// of characters that every reader of JSON and XML takes.
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
/** ArtifactName's pattern: what else arrives is no name, and above all no path; artifacts' folders are called by it. */
const artifactName = /^[A-Za-z0-9_-]{1,100}$/;
/** `percentComplete` runs from 0 to this. */
export const percentMax = 100;

/** What XML 1.0 cannot hold, of which AWS's older services are made; lone surrogates are looked for besides. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const unfit = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const replacement = "\ufffd";
const mark = " … [truncated by partnerd]";
const frontMark = "[truncated by partnerd] … ";

/**
 * A text for people as CodePipeline takes it: within `max` characters, marked where it was cut, and well-formed. Each
 * lone surrogate and each control character but tab and line ends becomes U+FFFD.
 */
export function apiText(text: string, max: number): string {
  // First cut: a replaced character is as long as its replacement, and a handler's text can be very long.
  return shorten(text, max).toWellFormed().replace(unfit, replacement);
}

/** True for a name that an artifact can have, and its folder. */
export function isArtifactName(name: string): boolean {
  return artifactName.test(name);
}

/** True for a value that arrives as it is: no lone surrogate, which has no bytes in UTF-8, and no NUL. */
export function isCarriable(value: string): boolean {
  return value.isWellFormed() && !value.includes("\0");
}

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
