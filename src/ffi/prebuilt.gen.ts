// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "0ba6fbab9f3edbe80ef7ea8fe32543a33e860c2c15e0b9a57be1af15ed2d0775", bytes: 8784088 },
  "linux-arm64": { sha256: "9a3fbc1fae73144ab7d6807b9f80f90dd792ce5b7242c819aa9a7742e8d9da11", bytes: 8166336 },
  "darwin-arm64": { sha256: "a9e4581ee1c8b8254d82e7e7bb00b7b75066eb632a93e7cf4fe801a79d0c3c49", bytes: 1218592 },
};
