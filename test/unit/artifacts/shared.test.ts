// What all jobs share: made once, and tried anew when it could not be made.
import { expect, it } from "vitest";
import { Shared } from "../../../src/artifacts/shared.js";

it("is made once, by the first who asks, for all who ask meanwhile and later", async () => {
  let made = 0;
  const shared = new Shared(async () => ++made);
  expect(made).toBe(0);
  expect(await Promise.all([shared.get(), shared.get()])).toEqual([1, 1]);
  expect(await shared.get()).toBe(1);
  expect(await shared.made()).toBe(1);
});

it("is tried anew when it could not be made, as for want of open files", async () => {
  let isShort = true;
  const shared = new Shared(async () => {
    if (isShort) throw new Error("EMFILE");
    return "made";
  });
  await expect(shared.get()).rejects.toThrow("EMFILE");
  isShort = false;
  expect(await shared.get()).toBe("made");
});

it("leaves nothing to close when nobody asked, or it could not be made", async () => {
  const shared = new Shared(() => Promise.reject(new Error("EMFILE")));
  expect(await shared.made()).toBeUndefined();
  const asked = shared.get();
  expect(await shared.made()).toBeUndefined();
  await expect(asked).rejects.toThrow("EMFILE");
});
