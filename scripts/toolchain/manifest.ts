/** native/prebuilt/manifest.json: what the committed libraries are, and what each kernel uses. The pinned hashes in src/ are made from it. */
import type { KernelRecord } from "./kernels.ts";
import type { Platform } from "./sources.ts";

/** One platform's library. */
export interface LibraryRecord {
  file: string;
  buildId: string;
  bytes: number;
  sha256: string;
}

/** The file's content. */
export interface Manifest {
  libraries: Partial<Record<Platform, LibraryRecord>>;
  kernels: KernelRecord[];
}

/** Reads the manifest of a folder; empty if there is none. */
export function readManifest(prebuilt: string): Manifest {
  try {
    return JSON.parse(Deno.readTextFileSync(`${prebuilt}/manifest.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { libraries: {}, kernels: [] };
    throw error;
  }
}

/** Writes the manifest; for the committed folder also src/ffi/prebuilt.gen.ts. */
export function writeManifest(root: string, prebuilt: string, manifest: Manifest): void {
  const kernels = manifest.kernels.map((record) => "    " + JSON.stringify(record)).join(",\n");
  const libraries = JSON.stringify(manifest.libraries, null, 2).replaceAll("\n", "\n  ");
  Deno.writeTextFileSync(
    `${prebuilt}/manifest.json`,
    `{\n  "libraries": ${libraries},\n  "kernels": [\n${kernels}\n  ]\n}\n`,
  );
  if (prebuilt !== `${root}/native/prebuilt`) return;
  const entries = Object.entries(manifest.libraries).map(([platform, { sha256, bytes }]) =>
    `  "${platform}": { sha256: "${sha256}", bytes: ${bytes} },`
  );
  Deno.writeTextFileSync(
    `${root}/src/ffi/prebuilt.gen.ts`,
    `// Written by scripts/build_native.ts. Do not edit.
import type { Platform } from "./platform.ts";

/** The committed libraries: what a file must be to be loaded. */
export const PREBUILT: Readonly<Partial<Record<Platform, { sha256: string; bytes: number }>>> = {
${entries.join("\n")}
};
`,
  );
}
