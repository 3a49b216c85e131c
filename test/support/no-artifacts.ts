// A store for tests that are about anything but artifacts: folders nobody makes, artifacts nobody has.
import type { ArtifactStore, Workspace } from "../../src/artifacts/artifacts.js";

const absent = () => Promise.reject(new Error("this test has no artifacts"));

export const noWorkspace: Workspace = {
  folder: absent,
  input: absent,
  inputFile: absent,
  output: absent,
  links: absent,
  finish: async () => {},
  dispose: async () => {},
};

export const noArtifacts: ArtifactStore = {
  room: () => ({ isEnough: true }),
  open: () => noWorkspace,
  close: async () => {},
};
