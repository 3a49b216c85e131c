import { describe, expect, it } from "vitest";
import { isPlaceholder, placeholderIn } from "../../../src/std/placeholder.js";

describe("placeholders", () => {
  it.each([
    "$" + "{TOKEN}",
    "$" + "{TOKEN:-none}",
    "$" + "{env:TOKEN}",
    "$TOKEN",
    "$token",
    "%TOKEN%",
    "$(cat token)",
    "{{ token }}",
    " {{ .Values.token | quote }} ",
  ])("%s is one", (text) => {
    expect(isPlaceholder(text)).toBe(true);
    expect(placeholderIn(text)).toBe(text.trim());
  });

  it.each([
    ["http://$" + "{SCAN_HOST}:9000", "$" + "{SCAN_HOST}"],
    ["http://$SCAN_HOST:9000", "$SCAN_HOST"],
    ["/var/{{ name }}/x", "{{ name }}"],
  ])("%s holds one", (text, found) => {
    expect(isPlaceholder(text)).toBe(false);
    expect(placeholderIn(text)).toBe(found);
  });

  it.each(["", "$", "${", "a$b", "5$", "100%", "us-east-1", "{a}", "pa$$word", "whsec_a+b/c="])(
    "%j is none",
    (text) => {
      expect(isPlaceholder(text)).toBe(false);
      expect(placeholderIn(text)).toBeUndefined();
    },
  );
});
