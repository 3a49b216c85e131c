// The package export ./testkit: a local CodePipeline for the tests of handlers.
export * from "./emulator.js";
