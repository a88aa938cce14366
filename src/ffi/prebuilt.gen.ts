// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "8f7d6e825256b358e11f91f797c28ffb3588e0af97de6d6be5707c81c8aa7acf", bytes: 8821848 },
  "linux-arm64": { sha256: "3b6b62f0ae2ace1501703633be6481253725d5728f361f6b4db7d51fe79fe0a6", bytes: 8203096 },
  "darwin-arm64": { sha256: "6a108f497a6e7625915075434ff828e9a45e6d6f64d4283a959652d0e9841e01", bytes: 1237408 },
};
