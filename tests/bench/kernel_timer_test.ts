import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type KernelRecord, timesOfRuns } from "../../bench/support/kernel_timer.ts";

function record(name: string, begin: number, end: number): KernelRecord {
  return { name, begin: BigInt(begin), end: BigInt(end) };
}

describe("times of runs", () => {
  it("reach from the first kernel's start to the last one's end, between kernels that part them", () => {
    const flush = (at: number) => record("argmax_bf16", at, at + 100);
    const records = [
      record("decode", 0, 2500),
      flush(3000),
      record("decode", 4000, 9000),
      record("prefill", 4500, 8000), // ends before the one that began ahead of it
      flush(10_000),
      flush(11_000),
      record("merge", 20_000, 20_750),
    ];
    assert.deepEqual(timesOfRuns(records, "argmax"), [2.5, 5, 0.75]);
  });

  it("are none of no kernels", () => {
    assert.deepEqual(timesOfRuns([], "argmax"), []);
    assert.deepEqual(timesOfRuns([record("argmax", 5, 6)], "argmax"), []);
  });

  it("keep nanoseconds of clocks beyond 2^53", () => {
    const begin = 2n ** 60n + 1n;
    assert.deepEqual(timesOfRuns([{ name: "decode", begin, end: begin + 1001n }], "argmax"), [1.001]);
  });
});
