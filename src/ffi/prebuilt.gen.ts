// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "20e8fba991c4a631dd4d563a0fb8572311645f260bedc4cb0953f5fb2e46c5ba", bytes: 6556648 },
  "linux-arm64": { sha256: "0d03386f773f8a6811a0bfbaebdfd22c337abe897c54c8ee04743955cb2c1c51", bytes: 5940336 },
  "darwin-arm64": { sha256: "47d3d65ea4a4914897d70bafc28416dae38b4ee29d0bf6c342c4d5abc819abba", bytes: 1198064 },
};
