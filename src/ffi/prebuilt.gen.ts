// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "b80c4d6a23becbde62f86ac5a66214bf34ac4061bfcb434845f3a8588c998211", bytes: 7061288 },
  "linux-arm64": { sha256: "bfcaca32c3328669495bbed192c2abc485f7d0419ec5c31d735f562d160ee81b", bytes: 6444928 },
  "darwin-arm64": { sha256: "9ded3dd1bdb0c2bc695fafdda06548af14c1c346cbbf8c5c344cb92efed1cbe0", bytes: 1198064 },
};
