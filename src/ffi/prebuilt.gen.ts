// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
  "linux-x64": { sha256: "a04327b14f1ef7aeb4d48bd3d493a2ab5a99a7c9677d228eec03efb43d6475b3", bytes: 5193176 },
  "linux-arm64": { sha256: "5445d091d288cd3e2a5081a61be7c73dac63fa389bab14b72d9aad79823ae09b", bytes: 4618504 },
  "darwin-arm64": { sha256: "e4fc09992ec2562e026fb54706a9d4b0003d7b268a11d0ec512d781dc3abff38", bytes: 1163440 },
};
