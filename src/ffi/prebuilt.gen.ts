// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "bd279919c6a6d6c2fc3b587a301c00c427fe2cc7d337b1653baa523d89207e5c", bytes: 5213944 },
  "linux-arm64": { sha256: "f86c0f2405f59e5653a53f5798d75c1526d9ea0daf27088000642c1d9b94e889", bytes: 4597064 },
  "darwin-arm64": { sha256: "9cdc83414b8187568f56d1851f5ba9162950d05372db43830805954763baaee9", bytes: 1197776 },
};
