// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "8441dfd9228b12db90647b07a6d96f16b20dedba47a232fa88195ef55745a6d2", bytes: 7926744 },
  "linux-arm64": { sha256: "383a8036d64c35f14c545f62306070ee49622faf6b2bd50a7da8f4dc6ca57121", bytes: 7310416 },
  "darwin-arm64": { sha256: "fe84f6984aa47bd61f0dfc57b5160d8a848b2ce90c78fa15d7de11d5864e9653", bytes: 1198624 },
};
