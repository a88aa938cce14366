/** The devices that tests run on: the CPU always, CUDA where a GPU answers. FLASHPAGE_TEST_BACKEND=cpu or cuda asks for one of them alone. */
import { after, before, describe } from "node:test";
import process from "node:process";
import { type Device, openDevice } from "../../mod.ts";

/** A device's kind. */
export type Backend = "cpu" | "cuda";

async function findBackends(): Promise<Backend[]> {
  const wish = process.env.FLASHPAGE_TEST_BACKEND;
  if (wish === "cpu" || wish === "cuda") return [wish];
  if (wish) {
    throw new Error(
      `FLASHPAGE_TEST_BACKEND is "${wish}". Set it to cpu or cuda, or leave it unset for all that are there.`,
    );
  }
  using device = await openDevice();
  return device.kind === "cuda" ? ["cpu", "cuda"] : ["cpu"];
}

/** What is here, or was asked for. */
export const BACKENDS: readonly Backend[] = await findBackends();

/** The same tests on every backend. `device()` may be called inside tests only. */
export function onEveryBackend(title: string, define: (device: () => Device, backend: Backend) => void): void {
  for (const backend of BACKENDS) {
    describe(`${title} on ${backend}`, () => {
      let device: Device | undefined;
      before(async () => {
        device = await openDevice({ backend });
      });
      after(() => device?.dispose());
      define(() => device!, backend);
    });
  }
}

/** CUDA is the emulated one of tests/cuda_emulation: right, and some thousand times slower than a GPU. */
export const IS_EMULATED: boolean = Boolean(process.env.FLASHPAGE_EMULATED_ARCH);
