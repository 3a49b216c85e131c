import { expect, it } from "vitest";
import { looksSecret } from "../../../src/std/secret-names.js";

it.each([
  "password",
  "Password",
  "DB_PASSWORD",
  "pass-word",
  "passwd",
  "client.secret",
  "SecretKey",
  "AccessToken",
  "TOKEN",
  "apikey",
  "API_KEY",
  "Api-Key",
  "api key",
  "A.P.I.Key",
  "credentials",
  "AWS Credential",
  "PrivateKey",
  "private",
])("%s looks secret", (name) => expect(looksSecret(name)).toBe(true));

it.each(["", "Target", "Url", "Key", "Pass", "Author", "Priority", "Level", "KeyId", "Tokyo", "Ticket"])(
  "%j does not",
  (name) => expect(looksSecret(name)).toBe(false),
);
