/** What the machine can do: roofline.cc, compiled and run beside the benchmarks. */
import { setUpToolchain } from "../../scripts/toolchain/setup.ts";

/** GB/s and GFLOP/s on all threads; a field is missing if the processor has no such instructions. */
export interface MachineRoofline {
  readonly threads: number;
  readonly readGBps: number;
  readonly avx2F32?: number;
  readonly avx512F32?: number;
  readonly avx512Bf16?: number;
  readonly amxBf16?: number;
  readonly neonF32?: number;
}

/**
 * Measures the machine; takes some seconds.
 *
 * FLASHPAGE_ROOFLINE names the compiled program, for machines without a network; else the project's own compiler makes it.
 */
export async function measureMachine(threads: number): Promise<MachineRoofline> {
  const { success, stdout, stderr } = await new Deno.Command(await programPath(), { args: [String(threads)] }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot measure the machine: the program failed. ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

async function programPath(): Promise<string> {
  const given = Deno.env.get("FLASHPAGE_ROOFLINE");
  if (given !== undefined) return given;
  const source = new URL("./roofline.cc", import.meta.url).pathname;
  const folder = Deno.makeTempDirSync();
  const output = `${folder}/roofline`;
  const { zig } = await setUpToolchain();
  const args = ["c++", "-O3", "-std=c++20", source, "-o", output];
  const { success, stderr } = await new Deno.Command(zig, { args }).output();
  if (!success) throw new Error(`Cannot compile ${source}: ${new TextDecoder().decode(stderr)}`);
  return output;
}

/** The best rate of multiply-adds in a dtype by the instruction set that is in use (`compute_capability` of a CPU). */
export function peakGflops(machine: MachineRoofline, computeCapability: number, dtype: string): number | null {
  const { avx2F32, avx512F32, avx512Bf16, amxBf16, neonF32 } = machine;
  const isBf16 = dtype === "bf16";
  switch (computeCapability) {
    case 4:
      return (isBf16 ? amxBf16 : avx512F32) ?? null;
    case 3:
      return (isBf16 ? avx512Bf16 : avx512F32) ?? null;
    case 2:
      return avx2F32 ?? null;
    case 10:
      return neonF32 ?? null;
    default:
      return null;
  }
}
