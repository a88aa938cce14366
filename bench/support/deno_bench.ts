/** Attention cases under `deno bench`, where there is a GPU. */
import { openDevice } from "../../mod.ts";
import { type AttentionCase, PreparedAttention } from "./prepared_attention.ts";
import { hasCuda } from "./runtime.ts";

/** Registers a benchmark for each case: from the call to the end of the device's work. `isMain`: the file runs as a program, which measures by itself. */
export async function benchCases(
  cases: readonly { name: string; test: AttentionCase }[],
  isMain: boolean,
): Promise<void> {
  const ignore = isMain || !await hasCuda();
  for (const { name, test } of cases) {
    Deno.bench({ name, ignore }, async (bench) => {
      using device = await openDevice({ backend: "cuda" });
      using prepared = new PreparedAttention(device, test);
      prepared.run();
      await device.synchronize();
      bench.start();
      prepared.run();
      await device.synchronize();
      bench.end();
    });
  }
}
