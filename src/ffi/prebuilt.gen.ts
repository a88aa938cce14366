// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "36ed3eb555607981fbaa05d179a0d057d983864eb75c79b111d3332573135938", bytes: 8526488 },
  "linux-arm64": { sha256: "e08ba87c5093317611a1d1a8c9b3bce1d3b071e271bf315ac477cbd680abce3d", bytes: 7908400 },
  "darwin-arm64": { sha256: "b00685a4b78ca9654e37f2a842d762ef03fe04c72aed3fd9e9ed1e516dde7510", bytes: 1218544 },
};
