/**
 * Builds a library whose AMX code runs on a processor with AVX-512 alone, its tiles emulated: slow, for tests.
 *
 *   deno run -A tests/cpu/amx_emulation/build.ts FILE
 *   FLASHPAGE_LIBRARY=FILE FLASHPAGE_TEST_BACKEND=cpu deno test -A tests/conformance tests/ops/linear_test.ts
 *   FLASHPAGE_LIBRARY=FILE deno run -A tests/cpu/isa_program.ts      must say level 4
 */
import { forEachLimited, runProgram } from "../../../scripts/toolchain/parallel.ts";
import { setUpToolchain } from "../../../scripts/toolchain/setup.ts";
import { hostSources, TARGETS } from "../../../scripts/toolchain/sources.ts";

const output = Deno.args[0];
if (output === undefined) {
  console.error("Pass the path of the library to write.");
  Deno.exit(2);
}
const root = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const here = `${root}/tests/cpu/amx_emulation`;
const platform = "linux-x64";
const flags = ["c++", "-target", TARGETS[platform], "-std=c++20", "-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden"];
flags.push("-fno-math-errno", "-ffp-contract=off", '-DFLASHPAGE_BUILD_ID="amx-emulation"');
const { zig } = await setUpToolchain();
const folder = Deno.makeTempDirSync();
const sources = hostSources(root, platform, false).map(({ path, cpu }) => ({ path: `${root}/${path}`, cpu }));
const jobs = sources.filter(({ path }) => !path.endsWith("/isa.cc"));
jobs.push({ path: `${here}/detect_isa.cc`, cpu: undefined });
const objects = jobs.map((_, i) => `${folder}/${i}.o`);
await forEachLimited(jobs.map((job, i) => ({ ...job, i })), 2, async ({ path, cpu, i }) => {
  const isEmulated = path.endsWith("_amx.cc");
  // Without AMX among its instruction sets: no tile instruction can slip in.
  const set = isEmulated ? cpu?.replace(/\+amx\w+/g, "") : cpu;
  const extra = [
    ...(set === undefined ? [] : [`-mcpu=${set}`]),
    ...(isEmulated ? ["-include", `${here}/tiles.h`] : []),
  ];
  await runProgram(zig, [...flags, ...extra, "-c", path, "-o", objects[i]], root);
});
const link = ["c++", "-target", TARGETS[platform], "-shared", "-o", output, ...objects, "-lpthread", "-ldl", "-lm"];
await runProgram(zig, link, root);
Deno.removeSync(folder, { recursive: true });
