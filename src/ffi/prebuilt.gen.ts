// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "0fee54f5ed4f2dad05c5d5c9df3908f93e40943a7dff9ff0e90467e75b8b1071", bytes: 4997256 },
  "linux-arm64": { sha256: "be903841f1969ff976d798442242ad7ef0e8b7b66270b40a4ba83a3ec4e0a553", bytes: 4380440 },
  "darwin-arm64": { sha256: "ca6a0f4bed00fe6ff1de5fbea05b11f8d1a26890c8fab1b56167837c903bfc72", bytes: 1197776 },
};
