// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "f3a45c9ba22af300bd32269d6b3130e5733e42adddbc6ca14a94c392596be8bd", bytes: 7061288 },
  "linux-arm64": { sha256: "1006eb0ab3a98f3993bf8eac6e733295291e69ad1cd7b063871aa3efaed0522f", bytes: 6444944 },
  "darwin-arm64": { sha256: "40b6f3eaa7d74caa76d28381a0da4f1234dd30e5bf3a94cf057f8bd659a09485", bytes: 1198064 },
};
