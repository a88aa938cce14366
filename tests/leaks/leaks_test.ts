/** What is opened and closed a thousand times leaves nothing behind: no memory, no threads, no files, no handles. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import process from "node:process";
import { BatchAttention, capture, DeviceBatch, linear, openDevice, PagedKvCache, pageTable } from "../../mod.ts";
import { BACKENDS } from "../support/backends.ts";

/** What the process holds, as the system counts it. */
interface Holdings {
  threads: number;
  files: number;
  residentBytes: number;
}

function holdings(): Holdings {
  const status = readFileSync("/proc/self/status", "utf8");
  return {
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)![1]),
    files: readdirSync("/proc/self/fd").length,
    residentBytes: 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]),
  };
}

/** JavaScript's own heap may grow meanwhile; a leak of one page a round would be 4 MB, of one stream's stack more. */
const MAX_GROWTH_BYTES = 48 << 20;

async function assertNoGrowth(rounds: number, warmUp: number, round: () => Promise<void> | void): Promise<void> {
  for (let i = 0; i < warmUp; i++) await round();
  const before = holdings();
  for (let i = 0; i < rounds; i++) await round();
  // Threads that were joined may still be counted for a moment.
  for (let i = 0; i < 100 && holdings().threads > before.threads; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const after = holdings();
  // A runtime starts threads of its own when it likes; a leak would be one a round.
  assert.ok(after.threads <= before.threads + 8, `threads: ${before.threads} before, ${after.threads} after`);
  assert.ok(after.files <= before.files + 8, `files: ${before.files} before, ${after.files} after`);
  const growth = after.residentBytes - before.residentBytes;
  assert.ok(growth < MAX_GROWTH_BYTES, `resident memory grew by ${growth} bytes in ${rounds} rounds`);
}

describe("leaks", { skip: process.platform === "linux" ? false : "counts by /proc" }, () => {
  for (const backend of BACKENDS) {
    it(`a device opened and closed 1,000 times on ${backend}`, async () => {
      // A GPU's driver takes a good part of a second to make a context; as long as somebody has one, it is shared.
      using _keeper = backend === "cuda" ? await openDevice({ backend }) : undefined;
      await assertNoGrowth(1000, 50, async () => {
        using device = await openDevice({ backend });
        device.fromArray([1, 2, 3], "f32");
        device.createStream();
        device.createEvent().record();
      });
    });

    it(`attention created, planned, run and disposed 1,000 times on ${backend}`, async () => {
      using device = await openDevice({ backend });
      using cache = new PagedKvCache(device, { numPages: 8, pageSize: 16, numKvHeads: 2, headDim: 64, dtype: "bf16" });
      cache.layer(0).k.fillBytes(0);
      cache.layer(0).v.fillBytes(0);
      using q = device.tensor([3, 4, 64], "bf16");
      q.fillBytes(0);
      const pages = pageTable({ indptr: [0, 3, 6], indices: [0, 1, 2, 3, 4, 5], lastPageLen: [1, 16], pageSize: 16 });
      const before = device.memoryUsage();
      await assertNoGrowth(1000, 50, async () => {
        using attention = new BatchAttention(device, {
          numQoHeads: 4,
          numKvHeads: 2,
          headDim: 64,
          dtype: "bf16",
          causal: true,
        });
        attention.plan({ qoIndptr: [0, 1, 3], pages });
        using out = attention.run({ q, cache });
        await out.read();
      });
      await device.synchronize();
      const after = device.memoryUsage();
      assert.deepEqual(
        [after.allocatedBytes, after.numAllocations, after.pendingBytes],
        [before.allocatedBytes, before.numAllocations, 0],
      );
    });

    it(`graphs that plan on the device on ${backend}`, async () => {
      using device = await openDevice({ backend });
      const shape = { numKvHeads: 2, headDim: 64, dtype: "bf16" } as const;
      using cache = new PagedKvCache(device, { ...shape, numPages: 8, pageSize: 16 });
      cache.layer(0).k.fillBytes(0);
      cache.layer(0).v.fillBytes(0);
      using q = device.tensor([2, 4, 64], "bf16");
      using out = device.tensor([2, 4, 64], "bf16");
      q.fillBytes(0);
      const before = device.memoryUsage();
      const capacity = { maxTokens: 2, maxRequests: 2, maxPages: 8 };
      await assertNoGrowth(500, 50, async () => {
        using attention = new BatchAttention(device, { ...shape, numQoHeads: 4, causal: true, capacity });
        using batch = new DeviceBatch(device, { maxRequests: 2, maxPages: 8, pageSize: 16 });
        batch.write({ pages: { indptr: Int32Array.of(0, 1, 2), indices: Int32Array.of(3, 5) }, kvLens: [1, 7] });
        using graph = capture(device.stream, () => {
          attention.planOnDevice(batch);
          attention.run({ q, cache, out });
        });
        graph.launch();
        graph.launch();
        await attention.checkDevicePlan();
      });
      await device.synchronize();
      const after = device.memoryUsage();
      assert.deepEqual([after.allocatedBytes, after.pendingBytes], [before.allocatedBytes, 0]);
    });

    it(`streams, events, graphs, views and reads on ${backend}`, async () => {
      using device = await openDevice({ backend });
      using x = device.tensor([8, 64], "bf16");
      using weight = device.tensor([8, 64], "bf16");
      using out = device.tensor([8, 8], "bf16");
      x.fillBytes(0);
      weight.fillBytes(0);
      const before = device.memoryUsage();
      await assertNoGrowth(1000, 50, async () => {
        using stream = device.createStream();
        using event = device.createEvent();
        using graph = capture(stream, () => void linear({ x, weight, out, stream }));
        graph.launch();
        event.record(stream);
        device.stream.waitFor(event);
        using extra = linear({ x: x.slice(0, 4), weight });
        await Promise.all([extra.read(), out.read(stream), stream.synchronize(), event.synchronize()]);
      });
      await device.synchronize();
      const after = device.memoryUsage();
      assert.deepEqual([after.allocatedBytes, after.pendingBytes], [before.allocatedBytes, 0]);
    });
  }
});
