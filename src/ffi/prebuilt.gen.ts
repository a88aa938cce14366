// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "bd66f7a43d097a407bf9717f2092719175052be0dd375229b3c0e811c0e9685e", bytes: 4824872 },
  "linux-arm64": { sha256: "c14f4c8442ff298313e79f21207c20cf89e6b402973921338693fe82a2720534", bytes: 4470552 },
  "darwin-arm64": { sha256: "d3d7d71504316328d1cea14a9920903989ee77b723af473a5d0bc66a629acb23", bytes: 1064208 },
};
