// What AWS has not told: each setting of the emulator by which it is decided, with the values that it does not have by
// default. The suites hold under every one of them: EMULATOR_READING=NAME has them run by one (`.ci/readings` by all).
import type { defaultSettings, Settings } from "../../src/emulator/emulator-settings.js";

type Reading = Partial<Settings>;

/** One at a time, and all of the boldest together. */
export const readings: Readonly<Record<string, Reading>> = {
  "a nonce outlives redelivery": { freshNonceAtRedelivery: false },
  "details make a nonce": { freshNonceAtDetails: true },
  "an acknowledge counts once": { repeatedAcknowledge: "InvalidNonceException" },
  "an ended job is forgotten by results": { putAfterEnd: "JobNotFoundException" },
  "an ended job is forgotten by details": { detailsAfterEnd: "JobNotFoundException" },
  "an ended job is invalid to details": { detailsAfterEnd: "InvalidJobException" },
  "an abandoned job is forgotten": {
    putAfterAbandon: "JobNotFoundException",
    acknowledgeAfterAbandon: "JobNotFoundException",
  },
  "an abandoned job is as if it were not": {
    putAfterAbandon: "accepted",
    acknowledgeAfterAbandon: "InvalidNonceException",
  },
  "a stranger is denied": { foreignPoll: "AccessDeniedException" },
  "an absent artifact is denied": { missingArtifact: "AccessDenied" },
  "a poll brings one job": { maxBatchSizeCap: 1 },
  "a chain goes on at once": { continuationDelayMs: 0 },
  "all of the other kind": {
    freshNonceAtRedelivery: false,
    freshNonceAtDetails: true,
    repeatedAcknowledge: "InvalidNonceException",
    putAfterEnd: "JobNotFoundException",
    detailsAfterEnd: "JobNotFoundException",
    putAfterAbandon: "JobNotFoundException",
    acknowledgeAfterAbandon: "JobNotFoundException",
    foreignPoll: "AccessDeniedException",
  },
};

/** The reading that this run of the suites is by; nothing without one. Throws for a name that there is not. */
export function readingOfRun(): Reading {
  const name = process.env["EMULATOR_READING"];
  if (name === undefined || name === "") return {};
  const reading = readings[name];
  if (!reading)
    throw new Error(`EMULATOR_READING: there is no "${name}"; there are ${Object.keys(readings).join(", ")}`);
  return reading;
}

/** The settings that no reading changes, and why. */
export const told: Readonly<Partial<Record<keyof typeof defaultSettings, string>>> = {
  redeliveryMs: "a time; tests set it",
  jobTimeoutMs: "documented",
  customJobTimeoutMs: "documented",
  defaultBatchSize: "partnerd always asks for a number",
  listPageSize: "paging is documented; tests set it",
  credentialsMs: "a time; tests set it",
  storageMaxBytes: "the emulator's own",
  keepEnded: "the emulator's own",
};
