// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "89e78af5f724930f6892380da9ae185582c9506496fd2167f2421e86c8954ac4", bytes: 8533512 },
  "linux-arm64": { sha256: "f876beadc20e37363477c9367f9c32ec9f9b10a4a3357ad8f915390e06bc5fc3", bytes: 7915648 },
  "darwin-arm64": { sha256: "94eb7b8463106e13c96325a2ed744d430e56a1eeb3d58f17f6d396827181cda8", bytes: 1218544 },
};
