// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "34752884f81abb78c6064460aca51e5154f0424f09819123cde3039f310dada2", bytes: 8505512 },
  "linux-arm64": { sha256: "4b783bb3a126a8a8bc6e99d4ed1b59e40c16786e1385c417472aa9b118049dee", bytes: 7887832 },
  "darwin-arm64": { sha256: "795cf98c28510cd691009127c7a05a41311e25e4e552feeb19eef9f235a47a11", bytes: 1218496 },
};
