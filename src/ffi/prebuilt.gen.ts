// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "7de0ffea3dadc400bc9eadaaf173bb6438f40576e5330b368dcc6dd91524b8c2", bytes: 6428808 },
  "linux-arm64": { sha256: "a27fe410d69b12ad43280bd046aeef836118c65adc635e581e5429db474bdaab", bytes: 5812576 },
  "darwin-arm64": { sha256: "3ea6f854a25cfc2d44a98ef60ea829525e185fa886b7666c96e34a62c56fe870", bytes: 1197952 },
};
