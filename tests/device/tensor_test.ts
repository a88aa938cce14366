import assert from "node:assert/strict";
import { it } from "node:test";
import { type DType, openDevice } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { addressOf } from "../support/foreign.ts";
import { Random } from "../support/random.ts";

onEveryBackend("tensors", (device) => {
  it("hold what was written, in every dtype", async () => {
    const values: Record<DType, number[]> = {
      f32: [1.5, -(2 ** -149), 2 ** 127, Infinity, 0],
      f16: [1.5, -(2 ** -24), 65504, -Infinity, 0],
      bf16: [1.5, -(2 ** -126), 2 ** 127, Infinity, 0],
      i32: [1, -(2 ** 31), 2 ** 31 - 1, 0, -1],
      u8: [0, 1, 255, 128, 7],
      e4m3: [1.5, -(2 ** -9), 448, -448, 0],
      e5m2: [1.5, -(2 ** -16), 57344, -57344, 0],
    };
    const bytes: Record<DType, number> = { f32: 4, f16: 2, bf16: 2, i32: 4, u8: 1, e4m3: 1, e5m2: 1 };
    for (const [dtype, list] of Object.entries(values) as [DType, number[]][]) {
      using tensor = device().fromArray(list, dtype);
      assert.deepEqual([...await tensor.read()], list, dtype);
      assert.equal(tensor.byteLength, list.length * bytes[dtype]);
    }
  });

  it("carry every 16-bit and every 8-bit pattern unchanged", async () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const dtype of ["f16", "bf16"] as const) {
      using tensor = device().fromArray(patterns, dtype);
      assert.deepEqual(await tensor.readRaw(), patterns);
    }
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const dtype of ["e4m3", "e5m2"] as const) {
      using tensor = device().fromArray(bytes, dtype);
      assert.deepEqual(await tensor.readRaw(), bytes);
    }
  });

  it("are viewed, sliced and reshaped without a copy", async () => {
    using tensor = device().fromArray(Float32Array.from({ length: 24 }, (_, i) => i), "f32", [4, 6]);
    assert.deepEqual([...await tensor.slice(1, 3).read()], [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    assert.deepEqual(tensor.reshape([2, 12]).slice(1, 2).shape, [1, 12]);
    const column = tensor.view([4, 1], [6, 1], 5);
    assert.equal(column.isContiguous, false);
    assert.equal(column.slice(2, 3).address, tensor.address + 4 * 17);
    assert.deepEqual([...await column.slice(2, 3).read()], [17]);
    tensor.slice(0, 1).fillBytes(0);
    assert.deepEqual([...(await tensor.read()).subarray(4, 8)], [0, 0, 6, 7]);
    assert.deepEqual(tensor.slice(4, 4).shape, [0, 6]);
  });

  it("copy from each other, and fill", async () => {
    using a = device().fromArray([1, 2, 3], "bf16");
    using b = device().tensor([3], "bf16");
    b.copyFrom(a);
    b.slice(1, 2).fillBytes(255);
    const values = await b.read();
    assert.ok(values[0] === 1 && Number.isNaN(values[1]) && values[2] === 3);
  });

  it("may be empty", async () => {
    using empty = device().tensor([0, 5], "f32");
    empty.write([]);
    empty.fillBytes(3);
    empty.copyFrom(empty);
    assert.equal(empty.address, 0);
    assert.deepEqual([...await empty.read()], []);
    using scalar = device().fromArray([7], "i32", []);
    assert.deepEqual([...await scalar.read()], [7]);
  });

  it("are counted: live bytes, the most that ever were, and how many", async () => {
    using fresh = await openDevice({ backend: device().kind });
    assert.deepEqual(fresh.memoryUsage(), { allocatedBytes: 0, peakBytes: 0, numAllocations: 0, pendingBytes: 0 });
    const [a, b] = [fresh.tensor([1000], "f32"), fresh.tensor([7], "u8")];
    fresh.tensor([0], "f32");
    assert.deepEqual(fresh.memoryUsage(), {
      allocatedBytes: 4007,
      peakBytes: 4007,
      numAllocations: 2,
      pendingBytes: 0,
    });
    a.slice(0, 10).dispose();
    a.dispose();
    a.dispose();
    assert.deepEqual(fresh.memoryUsage(), { allocatedBytes: 7, peakBytes: 4007, numAllocations: 1, pendingBytes: 0 });
    b.dispose();
    assert.equal(fresh.memoryUsage().allocatedBytes, 0);
    assert.ok(fresh.facts.totalMemoryBytes >= fresh.facts.freeMemoryBytes && fresh.facts.freeMemoryBytes > 0);
  });

  it("are aligned to 256 bytes", () => {
    for (const size of [1, 3, 257]) {
      using tensor = device().tensor([size], "u8");
      assert.equal(tensor.address % 256, 0);
    }
  });

  it("take host memory before the call returns", async () => {
    const source = Int32Array.of(1, 2, 3);
    using tensor = device().fromArray(source, "i32");
    source.fill(9);
    assert.deepEqual([...await tensor.read()], [1, 2, 3]);
  });

  it("are written, copied and read in stream order", async () => {
    // Writes go through different paths when the stream is idle and when it is busy; the order must not show it.
    const random = new Random(2);
    const size = 1 << 20;
    using tensor = device().tensor([size], "i32");
    using copy = device().tensor([size], "i32");
    const reads: Promise<unknown>[] = [];
    for (let round = 0; round < 20; round++) {
      tensor.write(new Int32Array(size).fill(round));
      if (random.next() < 0.5) copy.copyFrom(tensor);
      else copy.write(new Int32Array(size).fill(round));
      tensor.fillBytes(255);
      reads.push(
        copy.read().then((values) => {
          assert.ok((values as Int32Array).every((value) => value === round), `round ${round}`);
        }),
      );
    }
    await Promise.all(reads);
  });

  it("wrap memory of another owner", async () => {
    using owner = await openDevice({ backend: device().kind });
    using owned = owner.fromArray([1, 2, 3, 4, 5, 6], "f32");
    await owner.synchronize();
    using wrapped = device().fromPointer(owned.address, [2, 2], "f32", [3, 1]);
    using wholeAgain = device().fromPointer(owned.address, [6], "f32");
    assert.deepEqual([...await wrapped.slice(1, 2).read()], [4, 5]);
    wholeAgain.write([9, 8, 7, 6, 5, 4]);
    await device().synchronize();
    assert.deepEqual([...await owned.read()], [9, 8, 7, 6, 5, 4]);
    wrapped.dispose();
    assert.deepEqual([...await wholeAgain.read()], [9, 8, 7, 6, 5, 4], "one of two wrappers was disposed");
    assert.equal(device().memoryUsage().numAllocations, 0, "foreign memory is not counted as the device's");
  });

  it("wrap JavaScript's own memory on the CPU", async () => {
    if (device().kind === "cuda") return;
    const memory = new Float32Array(new ArrayBuffer(40));
    memory.set([1, 2, 3]);
    using wrapped = device().fromPointer(addressOf(memory), [10], "f32");
    assert.deepEqual([...(await wrapped.read()).subarray(0, 3)], [1, 2, 3]);
    wrapped.write(new Float32Array(10).fill(4));
    await device().synchronize();
    assert.equal(memory[9], 4);
  });
});
