// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "5faa1b0cff8d87c1e81a9957e670a55842b2509d4580f8d85b61dc9c09184d20", bytes: 8531480 },
  "linux-arm64": { sha256: "add35be5fd54d4d3d6d1cdfd9d0187e9d928e5f10d0a7830333927baeacada9d", bytes: 7913440 },
  "darwin-arm64": { sha256: "d0c63613706184098bcdfd144e7fbbd901475422d2e191ac98c785bc5b6f0a08", bytes: 1218544 },
};
