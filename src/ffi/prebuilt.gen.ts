// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "ec63bce8d648f6638de230064ddc10510b63ec557956b34918e70288230edf0a", bytes: 8822056 },
  "linux-arm64": { sha256: "e3209278d5abbfe1dec26f67ac600220aa011852b87139fc19dff919ebf1961c", bytes: 8203320 },
  "darwin-arm64": { sha256: "b4e5de3a2294f489e926bb0e03a9c1351e54e9db50b50ade1e1b0cd657ab7c47", bytes: 1237408 },
};
