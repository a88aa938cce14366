/** The emulation finds mistakes: each kernel of faulty/faulty_kernels.cu has one. Without this, tests that pass on it would mean little. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { run, RUNTIME } from "../support/subprocess.ts";
import { buildFaulty } from "./build.ts";
import { whyNotHere } from "./where.ts";

type Asynchrony = "mixed" | "late" | "early";

/** What is said of a kernel, with the mode that must find it; most are found in any. */
const FAULTS: [kernel: string, says: RegExp, asynchrony?: Asynchrony][] = [
  ["copies_not_waited_for", /error 0, [1-9]\d* wrong/, "late"],
  ["copies_left_at_the_end", /nobody has waited for a copy that thread \d+ issued/, "late"],
  ["no_barrier", /error 0, [1-9]\d* wrong/],
  ["slot_reused_too_soon", /error 0, [1-9]\d* wrong/, "early"],
  ["copies_of_others", /other lanes read at \d+ what thread \d+ has copied there, which has come to no barrier/],
  ["lanes_differ", /lanes of a warp differ: [^]*__s/],
  ["not_uniform", /\d is said to be uniform, and another lane has \d/],
  ["lane_missing", /wait for each other[^]*lanes ffffffdf: __ballot_sync[^]*error 719/],
  ["arrival_missing", /wait for each other[^]*needs 1 of 128 arrivals[^]*error 719/],
  ["arrival_too_many", /more than 1 arrivals at the mbarrier/],
  ["mbarrier_not_initialised", /there is no initialised mbarrier/],
  ["behind_the_end", /accessed 0x\w+, which is \d+ bytes behind the end of an allocation of 2048 bytes/],
  ["copy_from_behind_the_end", /cp.async from 0x\w+, which is 0 bytes behind the end of an allocation of 2048/],
  ["copy_to_behind_shared_memory", /16 bytes at address \d+ are not in shared memory/],
  ["products_not_fenced", /wgmma without wgmma.fence/],
  ["products_not_waited_for", /products that it issued are not waited for/],
];

// The runtime of the test has nothing to do with it.
const skip = whyNotHere() ?? (RUNTIME === "deno" ? undefined : "once is enough");

describe("the emulation finds faults", { skip }, () => {
  let program: string;
  before(async () => {
    program = await buildFaulty();
  }, { timeout: 600_000 });

  const launch = async (kernel: string, seed: number, asynchrony: Asynchrony): Promise<string> =>
    (await run(program, [kernel], {
      env: {
        FLASHPAGE_EMULATED_ARCH: "90",
        FLASHPAGE_EMULATED_SEED: String(seed),
        FLASHPAGE_EMULATED_ASYNC: asynchrony,
      },
    })).text;

  it("and none where there is none", async () => {
    for (const asynchrony of ["mixed", "late", "early"] as const) {
      for (let seed = 1; seed <= 5; seed++) {
        assert.equal(await launch("no_fault", seed, asynchrony), "error 0, 0 wrong of 128 words\n");
      }
    }
  });

  it("in the same way for the same seed", async () => {
    assert.equal(await launch("no_barrier", 4, "mixed"), await launch("no_barrier", 4, "mixed"));
  });

  for (const [kernel, says, asynchrony = "mixed"] of FAULTS) {
    it(kernel, async () => {
      for (let seed = 1; seed <= 3; seed++) assert.match(await launch(kernel, seed, asynchrony), says);
    });
  }
});
