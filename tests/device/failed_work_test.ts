/** Queued work that fails on the CPU tells whoever waits for it: reads, events, streams. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BatchAttention, type Device, InvalidArgumentError, openDevice, PagedKvCache, type Tensor } from "../../mod.ts";
import { assertRejected } from "../support/refused.ts";

/** Enqueues attention whose scales, which lie in memory, turn out to be bad. */
function failing(device: Device): { out: Tensor; dispose(): void } {
  using cache = new PagedKvCache(device, {
    numPages: 2,
    pageSize: 8,
    numKvHeads: 2,
    headDim: 64,
    dtype: "e4m3",
  });
  cache.layer(0).k.fillBytes(0);
  cache.layer(0).v.fillBytes(0);
  using kScale = device.fromArray([1, -1], "f32");
  using attention = new BatchAttention(device, {
    numQoHeads: 4,
    numKvHeads: 2,
    headDim: 64,
    dtype: "bf16",
    kvDtype: "e4m3",
  });
  using q = device.tensor([1, 4, 64], "bf16");
  q.fillBytes(0);
  attention.plan({
    qoIndptr: [0, 1],
    pages: { indptr: Int32Array.of(0, 1), indices: Int32Array.of(0), lastPageLen: Int32Array.of(1), pageSize: 8 },
  });
  const out = attention.run({ q, cache: { ...cache.layer(0), kScale } });
  return { out, dispose: () => out.dispose() };
}

describe("failed work on the CPU", () => {
  it("makes the read of its result reject, and is then told", async () => {
    using device = await openDevice({ backend: "cpu" });
    const work = failing(device);
    await assertRejected(InvalidArgumentError, /the k scale of KV head 1 is 1 times -1/, () => work.out.read());
    await device.synchronize();
    assert.equal((await work.out.read()).length, 256);
    work.dispose();
  });

  it("makes an event behind it throw", async () => {
    using device = await openDevice({ backend: "cpu" });
    const work = failing(device);
    using event = device.createEvent();
    event.record();
    await assertRejected(InvalidArgumentError, /the k scale of KV head 1/, () => event.synchronize());
    await assertRejected(InvalidArgumentError, /the k scale of KV head 1/, () => device.synchronize());
    event.record();
    await event.synchronize();
    work.dispose();
  });
});
