// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "143b1fe78c63b34cf14743481dc01dda3dfaba2ca2078fbe5fff07cb20ade084", bytes: 8717752 },
  "linux-arm64": { sha256: "0f7c70d8fa926fd946406cb787fd830fdea1ec8c921cf0ad0de2735cc608238b", bytes: 8098936 },
  "darwin-arm64": { sha256: "053f4802572f9748234e9ffa73c77464672a268e3a1fdb4b52e588867188f4b4", bytes: 1237248 },
};
