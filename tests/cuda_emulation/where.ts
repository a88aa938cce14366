/** Where the emulation can run. */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** Why it cannot be built here; undefined if it can. */
export function whyNotHere(): string | undefined {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    return "the emulation runs on Linux, on x86-64 and arm64";
  }
  if (spawnSync("g++", ["--version"]).status !== 0) return "there is no g++ to compile the kernels with";
  return undefined;
}
