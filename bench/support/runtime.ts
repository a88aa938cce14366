/** Where a benchmark can run. */
import { openDevice } from "../../mod.ts";

/** True if a GPU can be used. */
export async function hasCuda(): Promise<boolean> {
  try {
    (await openDevice({ backend: "cuda" })).dispose();
    return true;
  } catch {
    return false;
  }
}
