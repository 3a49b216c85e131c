// Which URLs go by which proxy, by the rules that people know from curl, and what is shown of a proxy.
import { describe, expect, it } from "vitest";
import { mistakesOfProxies, Proxies, ProxyError } from "../../../src/std/proxies.js";

const both = { HTTPS_PROXY: "http://s.corp:3128", HTTP_PROXY: "http://p.corp:3128" };
const wayTo = (environment: Record<string, string>, url: string) =>
  Proxies.from(environment).of(new URL(url))?.url.origin;
const aws = "https://codepipeline.us-east-1.amazonaws.com/";

describe("the variables", () => {
  it.each<[string, Record<string, string>, string, string | undefined]>([
    ["none", {}, aws, undefined],
    ["HTTPS_PROXY for https", both, aws, "http://s.corp:3128"],
    ["HTTP_PROXY for http", both, "http://scan.corp/", "http://p.corp:3128"],
    ["HTTP_PROXY not for https", { HTTP_PROXY: "http://p.corp" }, aws, undefined],
    ["HTTPS_PROXY not for http", { HTTPS_PROXY: "http://p.corp" }, "http://scan.corp/", undefined],
    ["small letters", { https_proxy: "http://p.corp" }, aws, "http://p.corp"],
    [
      "small letters before capitals",
      { https_proxy: "http://p.corp", HTTPS_PROXY: "http://q.corp" },
      aws,
      "http://p.corp",
    ],
    ["an empty one as none", { https_proxy: "", HTTPS_PROXY: "http://q.corp" }, aws, "http://q.corp"],
    ["white space around it", { HTTPS_PROXY: " http://q.corp \n" }, aws, "http://q.corp"],
    ["no scheme", { HTTPS_PROXY: "p.corp:3128" }, aws, "http://p.corp:3128"],
    ["a proxy by TLS", { HTTPS_PROXY: "https://p.corp" }, aws, "https://p.corp"],
    ["a path, which means nothing", { HTTPS_PROXY: "http://p.corp:1/x" }, aws, "http://p.corp:1"],
    ["an IPv6 proxy", { HTTPS_PROXY: "http://[fd00::1]:3128" }, aws, "http://[fd00::1]:3128"],
    ["no_proxy before NO_PROXY", { ...both, no_proxy: "x.corp", NO_PROXY: "*" }, aws, "http://s.corp:3128"],
  ])("%s", (_what, environment, url, origin) => {
    expect(wayTo(environment, url)).toBe(origin);
  });

  it.each([
    ["socks5://p.corp:1080", /socks5/],
    ["ftp://p.corp", /ftp/],
    ["http://", /not a proxy URL/],
    ["http://p.corp:99999", /not a proxy URL/],
    ["http://user:50%@p.corp", /%25/],
  ])("%s is a mistake that is told of without its value", (value, what) => {
    const [mistake, ...more] = mistakesOfProxies({ https_proxy: value });
    expect(more).toEqual([]);
    expect(mistake).toMatchObject({ variable: "https_proxy", what: expect.stringMatching(what) });
    expect(() => Proxies.from({ https_proxy: value })).toThrow(ProxyError);
    expect(JSON.stringify(mistake)).not.toContain("p.corp");
  });
});

describe("loopback", () => {
  it.each([
    "127.0.0.1",
    "127.200.1.1",
    "[::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "[::ffff:127.0.0.1]",
  ])("%s never goes by a proxy", (host) => {
    for (const protocol of ["http", "https"]) expect(wayTo(both, `${protocol}://${host}:9000/`)).toBeUndefined();
  });

  it.each(["128.0.0.1", "localhost.corp", "notlocalhost", "[::2]"])("%s is none", (host) => {
    expect(wayTo(both, `http://${host}:9000/`)).toBe("http://p.corp:3128");
  });
});

describe("NO_PROXY", () => {
  it.each<[string, string, boolean]>([
    ["*", aws, true],
    ["x.corp, *", aws, true],
    ["amazonaws.com", aws, true],
    [".amazonaws.com", aws, true],
    ["*.amazonaws.com", aws, true],
    ["AmazonAWS.com", aws, true],
    ["codepipeline.us-east-1.amazonaws.com", aws, true],
    ["codepipeline.us-east-1.amazonaws.com:443", aws, true],
    ["codepipeline.us-east-1.amazonaws.com:8443", aws, false],
    ["aws.com", aws, false],
    ["s3.us-east-1.amazonaws.com", aws, false],
    ["x.corp y.corp,amazonaws.com", aws, true],
    [" , ,", aws, false],
    [".", aws, false],
    ["", aws, false],
    ["scan.corp", "http://scan.corp./", true],
    ["scan.corp.", "http://scan.corp/", true],
    ["scan.corp:80", "http://scan.corp/", true],
    ["scan.corp:80", "http://scan.corp:8080/", false],
    ["10.0.0.0/8", "http://10.1.2.3:9000/", true],
    ["10.0.0.0/8:9000", "http://10.1.2.3:9000/", true],
    ["10.0.0.0/8", "http://11.1.2.3/", false],
    ["10.0.0.0/8", "http://10.corp/", false],
    ["10.1.2.3", "http://10.1.2.3:9000/", true],
    ["10.1.2.3", "http://10.1.2.30/", false],
    ["10.1.2.3:9000", "http://10.1.2.3:9000/", true],
    ["10.1.2.3:9001", "http://10.1.2.3:9000/", false],
    ["10.0.0.0/99", "http://10.1.2.3/", false],
    ["0.0.0.0/0", "http://192.0.2.1/", true],
    ["fd00::/8", "http://[fd00::1]/", true],
    ["fd00::/8", "http://[fe80::1]/", false],
    ["fd00::1", "http://[fd00:0:0::1]/", true],
    ["[fd00::1]", "http://[fd00::1]:9000/", true],
    ["[fd00::1]:9000", "http://[fd00::1]:9000/", true],
    ["[fd00::1]:9000", "http://[fd00::1]:9001/", false],
    ["::2:443", "http://[::2]/", false],
    ["10.0.0.0/8", "http://[::ffff:10.1.1.1]/", true],
  ])("%j: %s is an exception: %s", (entries, url, isException) => {
    expect(wayTo({ ...both, NO_PROXY: entries }, url) === undefined).toBe(isException);
  });
});

describe("a proxy with a password", () => {
  const proxies = Proxies.from({ HTTPS_PROXY: "http://jo%20e:p%40ss%2Fword@p.corp:3128" });
  const proxy = proxies.of(new URL(aws));

  it("is asked by Basic, with what the URL means", () => {
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from("jo e:p@ss/word").toString("base64")}`);
    expect(proxy?.url.href).toBe("http://p.corp:3128/");
    const alone = Proxies.from({ HTTPS_PROXY: "http://token@p.corp" });
    expect(alone.of(new URL(aws))?.authorization).toBe(`Basic ${Buffer.from("token:").toString("base64")}`);
  });

  it("is shown without it, and names every form of it as secret", () => {
    expect(proxy?.shown).toBe("http://jo%20e:[secret]@p.corp:3128");
    expect(proxies.secrets).toEqual(["p@ss/word", "p%40ss%2Fword", Buffer.from("jo e:p@ss/word").toString("base64")]);
    expect(Proxies.from(both).secrets).toEqual([]);
  });
});
