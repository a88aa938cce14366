// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "41b70a8d3f3186ef6981341d7651a072892f5a3c640c58e56f65595dafe91082", bytes: 8821672 },
  "linux-arm64": { sha256: "e2e0ad4137f03514efda22dd709ce231e185cb46c8d3726d5b6f0886f4b09bb3", bytes: 8202856 },
  "darwin-arm64": { sha256: "807bf847055be5739186649fe604b8248ede537feb365f7c61b45807f5839063", bytes: 1237248 },
};
