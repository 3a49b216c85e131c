// The names of folders that a command finds where it runs.

/** Holds one folder for each input artifact; the workspace makes it. */
export const inputsFolder = "inputs";
/** Holds one folder for each output artifact that the action declares. */
export const outputsFolder = "outputs";
