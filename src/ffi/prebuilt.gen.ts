// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "3d5a3e0da14c154b5e2797d94f65d81b9ece865e6d812fc5ed29dd43d13addb3", bytes: 6427080 },
  "linux-arm64": { sha256: "062816fa6a95cf4c5618897b6a301caf0830b29409b1f712334cc59d71d43ebf", bytes: 5809776 },
  "darwin-arm64": { sha256: "3942c85f33cbea3cb5119cd0ef057b83678b6dd71ac4b71a3784199032b67825", bytes: 1197776 },
};
