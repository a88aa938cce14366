// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "f3ffa08ba802b5705fe942db2c27fef3d87881d9c0814443c8c76feab4100b2a", bytes: 8505592 },
  "linux-arm64": { sha256: "21a822352264402505cd3231003bdb0ffce53422959e2c043c395767149ea537", bytes: 7887976 },
  "darwin-arm64": { sha256: "c3e2a15e605a3b7734cb0210e390d4810db53d8a35fcc6215d1dbb46550b1902", bytes: 1218496 },
};
