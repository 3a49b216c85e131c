// Flags that several commands share, and how their words are read.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Override } from "../config/environment.js";
import type { LoadOptions } from "../config/load.js";
import { formatDuration, likelyDuration, parseDuration } from "../std/units.js";
import type { Io } from "./io.js";

/** The options of every command that reads a configuration. */
export interface ConfigFlags {
  readonly config: readonly string[];
  readonly set: readonly Override[];
  readonly logLevel?: string;
  readonly logFormat?: string;
}

/** Gives a command the flags by which a configuration is found and overruled. */
export function withConfig(command: Command): Command {
  return command
    .addOption(
      new Option("-c, --config <file>", "configuration file; can be repeated, later files win")
        .argParser(fileFlag)
        .default([], "PARTNERD_CONFIG, ./partnerd.yaml, /etc/partnerd/partnerd.yaml"),
    )
    .addOption(
      new Option(
        "--set <key=value>",
        "override a setting of file and environment, such as polling.minInterval=2s; can be repeated",
      )
        .argParser(setFlag)
        .default([], "none"),
    )
    .addOption(new Option("--log-level <level>", "short for --set log.level=…"))
    .addOption(new Option("--log-format <format>", "short for --set log.format=…"));
}

/** Settings given on the command line, the last one wins. */
export function overridesOf(flags: ConfigFlags): readonly Override[] {
  const { logLevel, logFormat, set } = flags;
  return [
    ...set,
    ...(logLevel === undefined ? [] : [{ flag: "--log-level", key: "log.level", text: logLevel }]),
    ...(logFormat === undefined ? [] : [{ flag: "--log-format", key: "log.format", text: logFormat }]),
  ];
}

/** Where to look for the configuration. */
export function loadOptions(flags: ConfigFlags, { environment, directory }: Io): LoadOptions {
  return { files: flags.config, environment, directory, overrides: overridesOf(flags) };
}

function fileFlag(value: string, earlier: readonly string[]): readonly string[] {
  // Such as of an unset variable in a script.
  if (value.trim() === "") throw new InvalidArgumentError("It is empty. Write a file's name, such as partnerd.yaml.");
  return [...earlier, value];
}

function setFlag(value: string, earlier: readonly Override[]): readonly Override[] {
  const at = value.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write KEY=VALUE.");
  return [...earlier, { flag: "--set", key: value.slice(0, at), text: value.slice(at + 1) }];
}

/** In ms, at most a day. Throws what commander shows. */
export function durationFlag(value: string): number {
  return durationWithin(value, 86_400_000);
}

/** In ms, from a second to 24 days, the longest that a timer holds. Throws what commander shows. */
export function uptimeFlag(value: string): number {
  const ms = durationWithin(value, 576 * 3_600_000);
  if (ms < 1_000) throw new InvalidArgumentError("1s is the minimum.");
  return ms;
}

function durationWithin(value: string, max: number): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new InvalidArgumentError(`Write ${likelyDuration(value) ?? "30s"}, with the unit.`);
  if (ms > max) throw new InvalidArgumentError(`${formatDuration(max)} is the maximum.`);
  return ms;
}

/** A whole number from 1 on. Throws what commander shows. */
export function countFlag(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError("Write a whole number from 1 on.");
  return Number(value);
}

/** A text that says something. Throws what commander shows. */
export function wordsFlag(value: string): string {
  if (value.trim() === "") throw new InvalidArgumentError("Write some words.");
  return value;
}
