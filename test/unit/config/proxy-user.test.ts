// Where the name of who acts comes from, and whose word for it is taken.
import { expect, it } from "vitest";
import { least, load, mistakesOf, optionsFor } from "./support.js";

const admin = (text: string) => `${least}admin: { ${text} }\n`;

it.each(["10.0.0.7", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "2001:db8::1/128"])(
  "takes a proxy at %s",
  async (place) => {
    const { config } = await load(admin(`userHeader: X-Forwarded-User, trustedProxies: ["${place}"]`));
    expect(config.admin).toMatchObject({ userHeader: "X-Forwarded-User", trustedProxies: [place] });
  },
);

it.each(["proxy.example.com", "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "/8", "10.0.0"])(
  "refuses a proxy at %j",
  async (place) => {
    const [line, ...more] = await mistakesOf(optionsFor(admin(`trustedProxies: ["${place}"]`)));
    expect(line).toContain("not an address or a network");
    expect(more).toEqual([]);
  },
);

it.each(["X Forwarded", "X-User:", "X-User\\r\\nX", ""])("refuses a header called %j", async (name) => {
  expect(await mistakesOf(optionsFor(admin(`userHeader: "${name}"`)))).toHaveLength(1);
});
