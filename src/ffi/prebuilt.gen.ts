// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "d3ccfa95deebb1548d007cca961ef73d6016f754dea2cf44ecb5cb03a012d48c", bytes: 6421592 },
  "linux-arm64": { sha256: "0d8801e9fbe04c24c489da51783e1d115027bcc46a1141cddf89b0cbe8927964", bytes: 5804272 },
  "darwin-arm64": { sha256: "f1f99c1f85d4c70fc47e757524cc29db55ad573c28fed6efa46f8093c3ea527b", bytes: 1197776 },
};
