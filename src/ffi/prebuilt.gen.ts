// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "01907fbd412738ec8b498f1de3e766a38e07aa2e27153b9030e5e80340d97c74", bytes: 6427336 },
  "linux-arm64": { sha256: "ce115ec76a08ba95b5630fada341f3c1007cfe075148600e097ca4de4f0bf549", bytes: 5810016 },
  "darwin-arm64": { sha256: "1589fdd039c7aaf6a7af2f107ae178d2e3eb32411f2711da3a40e9c3cedf6b93", bytes: 1197776 },
};
