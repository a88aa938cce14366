// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "34752884f81abb78c6064460aca51e5154f0424f09819123cde3039f310dada2", bytes: 8505512 },
  "linux-arm64": { sha256: "13a2b21d95497b70b58133ac17fdbdbcd360b9f65b6406273cd3e71d52d426bf", bytes: 7317504 },
  "darwin-arm64": { sha256: "34e7df5181b517c36c0d894f2be3853dcdb16419dad2360550d39af44542410c", bytes: 1198624 },
};
