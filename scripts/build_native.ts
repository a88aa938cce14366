/**
 * Builds the native libraries into native/prebuilt, bit for bit the same each time, and writes down what they are.
 *
 *   deno task build                        all platforms
 *   deno task build --platform linux-x64   one platform; the others' entries in the manifest stay as they are
 *   deno task build --out FOLDER           elsewhere (to compare with what is committed)
 *   deno task build --no-cuda              without kernels: a quick build to work on the CPU backend
 */
import { option } from "./command_line.ts";
import { createHash } from "node:crypto";
import { computeBuildId } from "./toolchain/build_id.ts";
import { buildLibrary } from "./toolchain/host.ts";
import { buildKernels } from "./toolchain/kernels.ts";
import { type Manifest, readManifest, writeManifest } from "./toolchain/manifest.ts";
import { setUpToolchain } from "./toolchain/setup.ts";
import { type Platform, PLATFORMS } from "./toolchain/sources.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const chosen = option("platform");
if (chosen !== undefined && !(PLATFORMS as readonly string[]).includes(chosen)) {
  console.error(`Unknown platform "${chosen}". Pass one of ${PLATFORMS.join(", ")}.`);
  Deno.exit(2);
}
const platforms = chosen === undefined ? PLATFORMS : [chosen as Platform];
const prebuilt = option("out") ?? `${root}/native/prebuilt`;
const cache = `${root}/native/build`;
Deno.mkdirSync(cache, { recursive: true });

const toolchain = await setUpToolchain();
const buildId = computeBuildId(root);
const noCuda = Deno.args.includes("--no-cuda");
const { modules, records } = noCuda ? { modules: undefined, records: [] } : await buildKernels(root, cache, toolchain);
const namesOf = (kernels: typeof records): string =>
  kernels.map(({ kernel, arch }) => `${kernel} (${arch})`).join(", ");
const spilling = records.filter(({ spillBytes }) => spillBytes > 0);
if (spilling.length > 0) {
  console.error(`These kernels spill registers: ${namesOf(spilling)}.`);
  Deno.exit(1);
}
const serialised = records.filter(({ serialisesProducts }) => serialisesProducts);
if (serialised.length > 0) {
  console.error(`The wgmma products of these kernels are serialised, says ptxas: ${namesOf(serialised)}.`);
  Deno.exit(1);
}
const manifest: Manifest = { ...readManifest(prebuilt), kernels: records };
for (const platform of platforms) {
  const file = platform.startsWith("darwin") ? "libflashpage.dylib" : "libflashpage.so";
  Deno.mkdirSync(`${prebuilt}/${platform}`, { recursive: true });
  const path = `${prebuilt}/${platform}/${file}`;
  await buildLibrary(
    root,
    cache,
    toolchain.zig,
    platform,
    platform.startsWith("linux") ? modules : undefined,
    buildId,
    path,
  );
  const bytes = Deno.readFileSync(path);
  manifest.libraries[platform] = {
    file,
    buildId,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
  console.log(`${path}: ${bytes.length} bytes, build id ${buildId}`);
}
writeManifest(root, prebuilt, manifest);
