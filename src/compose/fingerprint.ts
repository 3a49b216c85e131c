// Tells whether two configurations differ, and where: by section, secrets included.
import { Secret } from "../job/secret.js";

/** Each section as a text that differs when the section does, secrets included; never shown. */
export function fingerprints(sections: object): Record<string, string> {
  const plain = function (this: unknown, key: string, value: unknown): unknown {
    const raw = (this as Record<string, unknown>)[key];
    if (raw instanceof Secret) return { secret: raw.reveal() };
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  };
  return Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, JSON.stringify(section, plain)]));
}
