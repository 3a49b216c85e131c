// The package export ./testkit: for the tests of handlers, one job in process, and a local CodePipeline.
export * from "./emulator.js";
export * from "./run-handler.js";
