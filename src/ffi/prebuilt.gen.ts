// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** Hash of the native sources that the committed libraries were built from. */
export const BUILD_ID = "";

/** The committed libraries. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {};
