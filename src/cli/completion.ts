// `partnerd completion SHELL`: a script that completes commands, options and their values, made from the command line
// itself, so that the two cannot disagree. It holds everything: completing starts no partnerd.
import type { Command, Option } from "commander";

export type Shell = "bash" | "zsh" | "fish";

/** The script for one shell. */
export function completionScript(root: Command, shell: Shell): string {
  return writers[shell](placesIn(root, ""));
}

/** A command, or the program itself, and what may come after it. */
interface Place {
  /** The words that lead to it, without the program's: `jobs release`; empty for the program. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly (Word & { readonly takes: "nothing" | "anything" | readonly string[] })[];
  /** What its first argument may be, where that is a choice. */
  readonly choices: readonly string[];
}

interface Word {
  /** One word, or for an option all its spellings. */
  readonly words: readonly string[];
  readonly description: string;
}

function placesIn(command: Command, path: string): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((each) => path === "" || each.name() !== "help");
  const options = help.visibleOptions(command).map((option) => ({
    words: [option.short, option.long].filter((word) => word !== undefined && word !== null),
    description: option.description,
    takes: takes(option),
  }));
  const place: Place = {
    path,
    commands: commands.map((each) => ({ words: [each.name()], description: each.description() })),
    options,
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
  const below = commands.filter((each) => each.name() !== "help");
  return [place, ...below.flatMap((each) => placesIn(each, `${path} ${each.name()}`.trim()))];
}

function takes(option: Option): "nothing" | "anything" | readonly string[] {
  if (!option.required && !option.optional) return "nothing";
  return option.argChoices ?? "anything";
}

/** Every pair of a place and a spelling of an option of it that takes a value. */
function valuesIn(places: readonly Place[]) {
  return places.flatMap(({ path, options }) =>
    options.flatMap(({ words, takes: values }) =>
      values === "nothing" ? [] : [{ at: words.map((word) => `${path}:${word}`), values }],
    ),
  );
}

function wordsOf({ commands, options, choices }: Place): readonly string[] {
  return [...commands.flatMap(({ words }) => words), ...choices, ...options.flatMap(({ words }) => words)];
}

/** For sh and its kin: the lines of a `case` that finds which command the words before have led to. */
function steps(places: readonly Place[], indent: string): string {
  return places
    .filter(({ path }) => path !== "")
    .map(({ path }) => {
      const [last = "", ...before] = path.split(" ").reverse();
      return `${indent}${quoted(`${before.reverse().join(" ")} ${last}`)}) command=${quoted(path)} ;;`;
    })
    .join("\n");
}

const writers: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };

function bash(places: readonly Place[]): string {
  const values = valuesIn(places).map(({ at, values: given }) => {
    const words = given === "anything" ? "" : ` COMPREPLY=($(compgen -W ${quoted(given.join(" "))} -- "$word"));`;
    return `    ${at.map(quoted).join(" | ")})${words} return ;;`;
  });
  const words = places.map((place) => `    ${quoted(place.path)}) words=${quoted(wordsOf(place).join(" "))} ;;`);
  return `# Completion of partnerd for bash. Try it:  eval "$(partnerd completion bash)"
# To keep it:  partnerd completion bash > ~/.local/share/bash-completion/completions/partnerd
_partnerd() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command="" words="" i
  # bash makes three words of --option=value.
  if [[ $word == = ]]; then word=""; elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${steps(places, "      ")}
    esac
  done
  # A value that is no choice is left to the completion of file names (-o default).
  case "$command:$before" in
${values.join("\n")}
  esac
  case "$command" in
${words.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _partnerd partnerd
`;
}

function zsh(places: readonly Place[]): string {
  const values = valuesIn(places).map(({ at, values: given }) => {
    const act = given === "anything" ? "_files" : `compadd -- ${given.map(quoted).join(" ")}`;
    return `    ${at.map(quoted).join(" | ")}) ${act}; return ;;`;
  });
  const described = ({ words, description }: Word) =>
    words.map((word) => quoted(`${word.replaceAll(":", "\\:")}:${description}`));
  const words = places.map(({ path, commands, options, choices }) => {
    const listed = [...commands, ...choices.map((choice) => ({ words: [choice], description: "" }))].flatMap(described);
    const flags = options.flatMap(described);
    return `    ${quoted(path)}) these=(${listed.join(" ")}) flags=(${flags.join(" ")}) ;;`;
  });
  return `#compdef partnerd
# Completion of partnerd for zsh. Try it:  source <(partnerd completion zsh)
# To keep it, write it to a file named _partnerd in a folder of $fpath.
_partnerd() {
  local command="" i
  local -a these flags
  for ((i = 2; i < CURRENT; i++)); do
    case "$command \${words[i]}" in
${steps(places, "      ")}
    esac
  done
  case "$command:\${words[CURRENT - 1]}" in
${values.join("\n")}
  esac
  case "$command" in
${words.join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe -o option flags
  elif ((\${#these})); then _describe command these
  else _files
  fi
}
if [[ \${funcstack[1]} == _partnerd ]]; then _partnerd "$@"; else compdef _partnerd partnerd; fi
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options, choices }) => {
    const at = `complete -c partnerd -n ${fishQuoted(`test "$(__partnerd_command)" = "${path}"`)}`;
    const listed = [...commands, ...choices.map((choice) => ({ words: [choice], description: "" }))];
    return [
      ...listed.map(({ words, description }) => `${at} -f -a ${words.join(" ")} -d ${fishQuoted(description)}`),
      ...options.map(({ words, description, takes: values }) => {
        const names = words.map((word) => (word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`));
        const value =
          values === "nothing" ? "" : values === "anything" ? " -r" : ` -x -a ${fishQuoted(values.join(" "))}`;
        return `${at} ${names.join(" ")}${value} -d ${fishQuoted(description)}`;
      }),
    ];
  });
  const cases = places
    .filter(({ path }) => path !== "")
    .map(({ path }) => {
      const [last = "", ...before] = path.split(" ").reverse();
      return `      case ${fishQuoted(`${before.reverse().join(" ")} ${last}`)}\n        set found ${fishQuoted(path)}`;
    });
  return `# Completion of partnerd for fish. Try it:  partnerd completion fish | source
# To keep it:  partnerd completion fish > ~/.config/fish/completions/partnerd.fish
function __partnerd_command
  set -l found ""
  for word in (commandline -opc)[2..-1]
    switch "$found $word"
${cases.join("\n")}
    end
  end
  echo $found
end
${lines.join("\n")}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In fish's single quotes a backslash quotes. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
