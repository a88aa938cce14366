// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "a669ca264c228b27ff993c8678a72c50c41093915cc346393258d0920078ebb4", bytes: 7933816 },
  "linux-arm64": { sha256: "1006eb0ab3a98f3993bf8eac6e733295291e69ad1cd7b063871aa3efaed0522f", bytes: 6444944 },
  "darwin-arm64": { sha256: "40b6f3eaa7d74caa76d28381a0da4f1234dd30e5bf3a94cf057f8bd659a09485", bytes: 1198064 },
};
