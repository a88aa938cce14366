// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "24a3d7f127ffc73d3349ed63220b35e0ec60ac2451f987545f70f0b73985572e", bytes: 8570360 },
  "linux-arm64": { sha256: "f4e40404ab10ef433e9c45ac2962e685ac647a3c1a5bedbc2529abbac27f9095", bytes: 7952608 },
  "darwin-arm64": { sha256: "0d153794ba2b00c95af7ffb99267a15660d9014fcd6a7ef05b0375efd7dc73ce", bytes: 1218592 },
};
