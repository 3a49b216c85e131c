// Texts with placeholders that were never filled in. Nothing here fills them in; taken as they are they would become a
// host that does not exist or a token that everybody can guess.

/** `${NAME}`, `$(command)` and `{{ name }}`, also with more in them; `$NAME` in capitals. */
const anywhere = /\$\{[^{}]*\}|\$\([^()]*\)|\{\{.*?\}\}|\$[A-Z][A-Z0-9_]+/s;
/** Other texts may hold such a form by right: a script, a template, a token. None consists of it. */
const whole = /^\s*(?:\$\{[^{}]*\}|\$\([^()]*\)|\{\{.*\}\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%)\s*$/s;

/** The first placeholder in a text. */
export function placeholderIn(text: string): string | undefined {
  return anywhere.exec(text)?.[0] ?? (whole.test(text) ? text.trim() : undefined);
}

/** True when a text is nothing but a placeholder. */
export function isPlaceholder(text: string): boolean {
  return whole.test(text);
}
