// What may be shown of the texts that a configuration hands to programs and services: their secrets have no sure mark,
// so whatever looks like one is masked. Too much masked is a nuisance, too little a leak.

import { looksSecret } from "./secret-names.js";

/** Stands where a secret was. */
export const masked = "[secret]";
/** What names of secrets hold. */
const secretWords = "key|token|secret|passw|credential|auth|cookie";
const secretName = new RegExp(secretWords, "i");
/** `--token=…`, `X-Api-Key: …`, `?key=…`, `"password": …`: everything behind it is masked. */
const assigned = new RegExp(
  String.raw`(^|[\s,;?&"'{(=:-])([\w.-]*(?:${secretWords})[\w.-]*["']?\s*[=:]\s*)(?!//)\S.*$`,
  "is",
);
/** Also a password that holds a slash or an @, as people paste them. */
const userInfo = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#:@]*):[^\s]*@/gi;
/** `https://TOKEN@host`; the user of another scheme (ssh://git@…) is a name. */
const loneUser = /\b(https?:\/\/)[^\s/?#:@]+@/gi;
const scheme = /\b(bearer|basic)\s+\S+/gi;
/** The next argument is its value. */
const secretOption = new RegExp(`^-{1,2}[\\w.-]*(?:${secretWords})[\\w.-]*$`, "i");
/** curl and its like: the next argument is a name and a password. */
const userOption = /^(-u|-U|--user|--proxy-user)$/;

/** True when a value of this name is likely to be secret. */
export function hasSecretName(name: string): boolean {
  return secretName.test(name) || looksSecret(name);
}

/** A text without what looks secret in it: passwords in URLs, Authorization headers, `NAME=VALUE` of a secret name. */
export function shownText(text: string): string {
  return text
    .replace(userInfo, `$1$2:${masked}@`)
    .replace(loneUser, `$1${masked}@`)
    .replace(scheme, `$1 ${masked}`)
    .replace(assigned, `$1$2${masked}`);
}

/** A program and its arguments, each as it may be shown; a value may stand behind its option. */
export function shownArguments(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const option = words[index - 1] ?? "";
    if (index > 1 && secretOption.test(option) && !word.startsWith("-")) return masked;
    if (index > 1 && userOption.test(option)) return word.replace(/:.*$/s, `:${masked}`);
    return shownText(word);
  });
}
