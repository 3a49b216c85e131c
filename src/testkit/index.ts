// The package export ./testkit: a local CodePipeline for the tests of handlers.
/// <reference types="node" preserve="true" />
export * from "./emulator.js";
