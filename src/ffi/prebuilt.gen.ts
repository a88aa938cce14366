// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "351cab0a90131a37096fb168247d93d2d5cd33a827b5bd18a4d094b034dfb51b", bytes: 7061288 },
  "linux-arm64": { sha256: "d01002f6f24daadb5bebcc79e81f6e0f1157cc71fd238533a6d4122b21524e6a", bytes: 6444944 },
  "darwin-arm64": { sha256: "cbfd1770fe2bcc9b3c01ef06eb2f57de3226a6482597198a20386923103b73f3", bytes: 1198064 },
};
