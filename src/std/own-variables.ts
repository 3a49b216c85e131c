// The environment variables that partnerd itself gives to commands, in addition to the settings that it reads from its
// own.

/** What a command handler finds in its environment. */
export const commandVariables = [
  "PARTNERD_JOB_ID",
  "PARTNERD_REGION",
  "PARTNERD_ACCOUNT",
  "PARTNERD_CONTINUATION_TOKEN",
  "PARTNERD_DEADLINE",
  "PARTNERD_OUTCOME",
  "PARTNERD_INPUTS",
  "PARTNERD_OUTPUTS",
] as const;

export type CommandVariable = (typeof commandVariables)[number];
