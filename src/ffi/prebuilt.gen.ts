// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "c32d52736344e32b73d156a19fe5e8eea4f55b3878bf183606e6aaa9e73e28f3", bytes: 7061304 },
  "linux-arm64": { sha256: "65d6d250738e1f251212fb859d102e63455eee546d307b1710bb3f9ad847cb95", bytes: 6444960 },
  "darwin-arm64": { sha256: "171fb02c629c863dcac926064b6de5bf8503e9c05a70accd471b9908803a1c49", bytes: 1198064 },
};
