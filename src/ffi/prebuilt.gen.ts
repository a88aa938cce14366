// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "e13c64e5e0465607ab53024c0cfb5dace448a265ca5f223c471a213e5564d365", bytes: 4824520 },
  "linux-arm64": { sha256: "770c54b3af424e7623e4d0c48ab5f2087f9ddcdbcff5880c5dc00eede6306712", bytes: 4470232 },
  "darwin-arm64": { sha256: "32f36d422fd3fc8a4c02b293b7435e5a6689f8ec2ec51e2cbf64f7c610934b24", bytes: 1064208 },
};
