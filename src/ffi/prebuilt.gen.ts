// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "e82a26968355a694dc30ef5e91872be9369a25059189eb1c6ab20f2cd645b6b3", bytes: 8499464 },
  "linux-arm64": { sha256: "c05e43bbd20db87f202d89337e17d800ef43b182b8edb5d9fc7b9f1948ad7c2c", bytes: 7881800 },
  "darwin-arm64": { sha256: "2acdd34fa3736f0b3dba9cee9bac17138c127e7a8ae93143a27273dd994b998e", bytes: 1218496 },
};
