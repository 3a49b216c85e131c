import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { operations, shapes } from "../../../src/emulator/model.js";
import type { Shape } from "../../../src/emulator/shape-checks.js";
import { Shapes } from "../../../src/emulator/shape-checks.js";

const sample: Record<string, Shape> = {
  Root: { type: "structure", members: "name! Name, kind, size, flag, at, list, map, secret, inner" },
  Name: { type: "string", min: 2, max: 4, pattern: "a|bb|[c-z]+" },
  Kind: { type: "string", enum: ["One", "Two"] },
  Size: { type: "integer", min: 0, max: 10 },
  Flag: { type: "boolean" },
  At: { type: "timestamp" },
  List: { type: "list", of: "Inner", min: 1, max: 2 },
  Map: { type: "map", key: "Name", of: "Kind", max: 1 },
  Secret: { type: "string", max: 3, sensitive: true },
  Inner: { type: "structure", members: "value! Size" },
};
const lenient = new Shapes({ shapes: sample, unknownMembers: "ignore" });
const strict = new Shapes({ shapes: sample, unknownMembers: "refuse" });

function check(document: unknown, expected: readonly string[], checker = lenient): void {
  const problems = checker.check("Root", document);
  expect(problems.map(({ path, constraint, shown }) => `${path} ${constraint} ${shown ?? "-"}`)).toEqual(expected);
}

describe("a document", () => {
  test("that fits has no mistakes", () => {
    const document = {
      name: "bb",
      kind: "One",
      size: 0,
      flag: false,
      at: 1.5,
      list: [{ value: 10 }],
      map: { cc: "Two" },
    };
    check(document, []);
  });

  test("may leave out what is not required, or have it null", () => check({ name: "cc", kind: null }, []));

  test("must have what is required", () => {
    check({}, ["name Member must not be null null"]);
    check({ name: null, inner: {} }, ["name Member must not be null null", "inner.value Member must not be null null"]);
  });

  test("does not find required members in its prototype", () => {
    const shape: Record<string, Shape> = {
      Root: { type: "structure", members: "toString! Any" },
      Any: { type: "document" },
    };
    expect(new Shapes({ shapes: shape, unknownMembers: "ignore" }).check("Root", {})).toHaveLength(1);
  });

  test("may have unknown members only for AWS", () => {
    check({ name: "cc", extra: 1 }, []);
    expect(strict.check("Root", { name: "cc", extra: 1 })).toMatchObject([{ path: "extra", kind: "unknown" }]);
  });

  test.each([null, [], "text", 1])("is an object, not %j", (document) => {
    expect(lenient.check("Root", document)).toMatchObject([{ kind: "type", path: "" }]);
  });
});

describe("a text", () => {
  test("keeps its lengths, told in AWS's words", () => {
    check({ name: "" }, [
      "name Member must have length greater than or equal to 2 ''",
      "name Member must satisfy regular expression pattern: a|bb|[c-z]+ ''",
    ]);
    check({ name: "ccccc" }, ["name Member must have length less than or equal to 4 'ccccc'"]);
  });

  test("matches its pattern whole, alternatives too", () => {
    check({ name: "bbx" }, ["name Member must satisfy regular expression pattern: a|bb|[c-z]+ 'bbx'"]);
    check({ name: "cc\n" }, ["name Member must satisfy regular expression pattern: a|bb|[c-z]+ 'cc\n'"]);
  });

  test("is one of its values", () => {
    check({ name: "cc", kind: "one" }, ["kind Member must satisfy enum value set: [One, Two] 'one'"]);
  });

  test("that is secret is never shown", () => {
    check({ name: "cc", secret: "password" }, ["secret Member must have length less than or equal to 3 -"]);
  });

  test("that is long is shown cut", () => {
    const [problem] = lenient.check("Root", { name: "c".repeat(1_000_000) });
    expect(problem?.shown?.length).toBeLessThan(1_100);
  });

  test.each([
    [1, "NUMBER_VALUE"],
    [1.5, "DECIMAL_VALUE"],
    [true, "TRUE_VALUE"],
    [{}, "START_OBJECT"],
    [[], "START_ARRAY"],
  ])("is not %j", (name, kind) => check({ name }, [`name ${kind} can not be converted to a String -`]));
});

describe("a number", () => {
  test("keeps its range", () => {
    check({ name: "cc", size: -1 }, ["size Member must have value greater than or equal to 0 '-1'"]);
    check({ name: "cc", size: 11 }, ["size Member must have value less than or equal to 10 '11'"]);
  });

  test.each([1.5, "1", 2 ** 31, 1e300, true])("that is an integer is not %j", (size) => {
    expect(lenient.check("Root", { name: "cc", size })).toMatchObject([{ kind: "type", path: "size" }]);
  });

  test("of a timestamp may have a fraction and is no text", () => {
    check({ name: "cc", at: 1577836800.123 }, []);
    check({ name: "cc", at: "2020-01-01" }, ["at STRING_VALUE can not be converted to a Number -"]);
  });
});

describe("a list", () => {
  test("keeps its length", () => {
    check({ name: "cc", list: [] }, ["list Member must have length greater than or equal to 1 '[…]'"]);
    const three = [{ value: 1 }, { value: 1 }, { value: 1 }];
    check({ name: "cc", list: three }, ["list Member must have length less than or equal to 2 '[…]'"]);
  });

  test("tells which entry is wrong, counting from one as AWS does", () => {
    check({ name: "cc", list: [{ value: 1 }, { value: 11 }] }, [
      "list.2.member.value Member must have value less than or equal to 10 '11'",
    ]);
    check({ name: "cc", list: [null] }, ["list.1.member Member must not be null null"]);
  });

  test("with a million mistakes tells fifty", () => {
    const list = Array.from({ length: 1_000_000 }, () => ({ value: -1 }));
    expect(lenient.check("Root", { name: "cc", list })).toHaveLength(50);
  });
});

test("a map folds what is wrong with keys and values into constraints of the map", () => {
  check({ name: "cc", map: { cc: "Two", dd: "Two" } }, ["map Member must have length less than or equal to 1 '{…}'"]);
  check({ name: "cc", map: { ccccc: "Two" } }, [
    "map Map keys must satisfy constraint: [Member must have length less than or equal to 4] '{ccccc=…}'",
  ]);
  check({ name: "cc", map: { cc: "Three" } }, [
    "map Map value must satisfy constraint: [Member must satisfy enum value set: [One, Two]] '{cc=…}'",
  ]);
  check({ name: "cc", map: { cc: null } }, ["map.cc.member Member must not be null null"]);
  expect(lenient.check("Root", { name: "cc", map: { cc: {} } })).toMatchObject([{ kind: "type" }]);
});

describe("the service model", () => {
  const model = new Shapes({ shapes, unknownMembers: "ignore" });

  test("has every shape that its operations name", () => {
    for (const operation of Object.values(operations)) {
      for (const name of Object.values(operation)) expect(() => model.check(name, {})).not.toThrow();
    }
  });

  test("holds nothing that no operation reaches", () => {
    const reached = new Set<string>();
    const visit = (name: string) => {
      const shape = shapes[name];
      if (!shape || reached.has(name)) return;
      reached.add(name);
      if (shape.type === "list" || shape.type === "map") visit(shape.of);
      if (shape.type === "map") visit(shape.key);
      if (shape.type !== "structure") return;
      for (const part of shape.members.split(",")) {
        const [member = "", named] = part.trim().replace("!", "").split(/\s+/);
        visit(named ?? member.charAt(0).toUpperCase() + member.slice(1));
      }
    };
    for (const operation of Object.values(operations)) for (const name of Object.values(operation)) visit(name);
    expect(Object.keys(shapes).filter((name) => !reached.has(name))).toEqual([]);
  });

  test("takes any JSON without throwing", async () => {
    const names = Object.values(operations).map((operation) => operation.input);
    await fc.assert(
      fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, document) => {
        expect(model.check(name, document).length).toBeLessThanOrEqual(50);
      }),
    );
  });
});

test("an unknown shape is a bug, told at once", () => {
  expect(() => lenient.check("Nowhere", {})).toThrow("no shape named Nowhere");
});
