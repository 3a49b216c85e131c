// What CodePipeline takes for a client id and for a client token: the one check that every source's answer passes. A
// message says what is wrong with a token and never shows a part of it.
import { limits } from "../job/limits.js";
import { isPlaceholder } from "../std/placeholder.js";

/** CodePipeline's ClientId, in lower case. */
const clientIdPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for a UUID in lower case: nothing else may become part of a URL, a command line or a key. */
export function isClientId(text: string): boolean {
  return clientIdPattern.test(text);
}

/**
 * What is wrong with a token, the end of the sentence "its token …". GetThirdPartyJobDetails takes 1 to 256 characters;
 * space around one is a typing error.
 */
export function tokenMistake(token: unknown): string | undefined {
  if (typeof token !== "string") return "is not a text";
  if (token === "") return "is empty";
  if (token.length > limits.clientToken) {
    return `has ${token.length} characters, the limit is ${limits.clientToken}`;
  }
  if (token.trim() !== token || /\p{Cc}/u.test(token)) return "has white space around it or control characters";
  if (isPlaceholder(token)) return "is a placeholder, and placeholders are not expanded";
  return undefined;
}
