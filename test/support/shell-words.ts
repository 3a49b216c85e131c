// The commands of a shell script, as words: enough of a shell's grammar to see which programs are started with which
// flags. Not a shell: what is substituted is left as it stands.

/** Each simple command with its words, variables in front of it left out. */
export function commandsOf(script: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  for (const token of tokensOf(script.replaceAll("\\\n", " "))) {
    if (token.isBreak) commands.push([]);
    else commands.at(-1)?.push(token.text);
  }
  return commands
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))))
    .filter((words) => words.length > 0 && words[0] !== undefined);
}

interface ShellToken {
  readonly text: string;
  /** What ends a command: a new line, `;`, `&`, `|`, a bracket. */
  readonly isBreak: boolean;
}

/** Comments and redirections are left out. */
function* tokensOf(script: string): Generator<ShellToken> {
  const pattern =
    /(?<comment>(?<=^|\s)#[^\n]*)|(?<redirect>\d?[<>]&?\d?\s*(?=\s|$|\w|\/|"|\$)(?!\()(?:[^\s;&|()"]+|"[^"]*")?)|(?<end>\n|;|&|\||\$\(|<\(|\(|\))|(?<word>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s;&|()<>'"])+)/gm;
  for (const { groups } of script.matchAll(pattern)) {
    if (groups?.["end"] !== undefined) yield { text: "", isBreak: true };
    if (groups?.["word"] !== undefined) yield { text: unquoted(groups["word"]), isBreak: false };
  }
}

function unquoted(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:\\.|[^"\\])*)"/g,
    (_, single?: string, double?: string) => single ?? double ?? "",
  );
}
