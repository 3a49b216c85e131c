// Whether a name is that of a secret. By its words alone: who means something else by them says so.

const words = ["password", "passwd", "secret", "token", "apikey", "credential", "private"];

/** True for `ApiKey`, `api_key`, `DB-PASSWORD`, `Private.Key` and the like: any case, any separators. */
export function looksSecret(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return words.some((word) => plain.includes(word));
}
