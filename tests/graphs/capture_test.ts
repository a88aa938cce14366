import assert from "node:assert/strict";
import { it } from "node:test";
import { BatchAttention, capture, InvalidArgumentError, PagedKvCache } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRefused } from "../support/refused.ts";

const shape = { numKvHeads: 2, headDim: 64, dtype: "bf16" } as const;

onEveryBackend("captured graphs", (device) => {
  it("refuse a function that awaits, and leave the stream as it was", async () => {
    using x = device().tensor([4], "i32");
    x.fillBytes(0);
    assertRefused(InvalidArgumentError, /the function is asynchronous/, () => {
      // deno-lint-ignore require-await
      capture(device().stream, async () => void x.fillBytes(1));
    });
    assert.equal(device().stream.isCapturing, false);
    assert.deepEqual(Array.from(await x.read()), [0, 0, 0, 0]);
  });

  it("hold a run without a capacity as it was planned: another plan is refused", async () => {
    using cache = new PagedKvCache(device(), { ...shape, numPages: 8, pageSize: 16 });
    using attention = new BatchAttention(device(), { ...shape, numQoHeads: 4, causal: true });
    using one = device().fromArray(new Float32Array(2 * 64).fill(1), "bf16", [1, 2, 64]);
    using q = device().tensor([1, 4, 64], "bf16");
    using out = device().tensor([1, 4, 64], "bf16");
    q.fillBytes(0);
    out.fillBytes(0);
    const chat = cache.createSequence();
    const { qoIndptr } = cache.append([chat], { k: one, v: one });
    attention.plan({ qoIndptr, pages: cache.pageTable([chat]) });
    using graph = capture(device().stream, () => void attention.run({ q, cache, out }));
    graph.launch();
    assert.equal((await out.read())[0], 1);
    assertRefused(
      InvalidArgumentError,
      /Pass `capacity`/,
      () => attention.plan({ qoIndptr, pages: cache.pageTable([chat]) }),
    );
    out.fillBytes(0);
    graph.launch();
    assert.equal((await out.read())[0], 1);
  });
});
