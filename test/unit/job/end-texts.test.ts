import { expect, it } from "vitest";
import { timedOutText } from "../../../src/job/end-texts.js";

it.each([
  [1_800_000, "30 min"],
  [90_000, "90 s"],
  [1_500, "1.5 s"],
])("says a limit of %d ms as people do", (ms, said) => {
  expect(timedOutText(ms)).toBe(`the job took longer than its limit of ${said} (jobTimeout) and was stopped`);
});
