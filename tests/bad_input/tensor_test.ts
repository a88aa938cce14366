/** Devices, tensors, streams and events refuse what makes no sense, say why, and work on. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import {
  capture,
  type Device,
  DisposedError,
  type DType,
  InvalidArgumentError,
  openDevice,
  OutOfMemoryError,
  UnavailableError,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRefused, assertRejected } from "../support/refused.ts";

onEveryBackend("bad input to tensors", (device, backend) => {
  let other: Device;
  before(async () => {
    other = await openDevice({ backend });
  });
  after(() => other.dispose());

  it("shapes and dtypes", () => {
    for (const shape of [[-1], [1.5], [NaN], [2, Infinity]]) {
      assertRefused(InvalidArgumentError, /every size must be an integer >= 0/, () => device().tensor(shape, "f32"));
    }
    assertRefused(InvalidArgumentError, /too many elements/, () => device().tensor([2 ** 30, 2 ** 30], "u8"));
    for (const dtype of ["f64", "", "toString", undefined]) {
      assertRefused(
        InvalidArgumentError,
        /pass one of f32, f16, bf16, i32, u8/,
        () => device().tensor([1], dtype as DType),
      );
    }
  });

  it("more memory than there is", async () => {
    const before = device().memoryUsage();
    for (const numBytes of [2 ** 45, 2 ** 52]) {
      assertRefused(
        OutOfMemoryError,
        new RegExp(`make a tensor of shape \\[${numBytes}\\]`),
        () => device().tensor([numBytes], "u8"),
      );
    }
    assert.deepEqual(device().memoryUsage(), before);
    using tensor = device().fromArray([5], "i32");
    assert.deepEqual([...await tensor.read()], [5]);
  });

  it("lengths that don't match", () => {
    using tensor = device().tensor([2, 3], "f32");
    assertRefused(
      InvalidArgumentError,
      /write 5 numbers to a tensor of shape \[2,3\]: it takes 6/,
      () => tensor.write([1, 2, 3, 4, 5]),
    );
    const before = device().memoryUsage().allocatedBytes;
    assertRefused(
      InvalidArgumentError,
      /write 3 numbers to a tensor of shape \[4\]/,
      () => device().fromArray([1, 2, 3], "f32", [4]),
    );
    assert.equal(device().memoryUsage().allocatedBytes, before, "the tensor that could not be filled is left");
    using bytes = device().tensor([6], "u8");
    assertRefused(
      InvalidArgumentError,
      /device, dtype and number of elements must agree/,
      () => tensor.copyFrom(bytes),
    );
  });

  it("views beyond the memory", () => {
    using tensor = device().tensor([4, 6], "f32");
    const whole = /Cannot slice a tensor of shape \[4,6\] from/;
    for (const [begin, end] of [[-1, 2], [0, 5], [3, 2], [0.5, 1], [NaN, 1]]) {
      assertRefused(InvalidArgumentError, whole, () => tensor.slice(begin, end));
    }
    assertRefused(
      InvalidArgumentError,
      /needs elements up to 25, the tensor spans 24/,
      () => tensor.view([5], [1], 20),
    );
    assertRefused(InvalidArgumentError, /offset -1/, () => tensor.view([1], [1], -1));
    assertRefused(InvalidArgumentError, /pass one integer >= 0 for each dimension/, () => tensor.view([2, 2], [1]));
    assertRefused(InvalidArgumentError, /pass one integer >= 0/, () => tensor.view([2], [-1], 5));
    assertRefused(InvalidArgumentError, /the one has 24 elements, the other not/, () => tensor.reshape([5, 5]));
    const column = tensor.view([4, 1], [6, 1]);
    for (const call of [() => column.reshape([4]), () => column.write([1, 2, 3, 4]), () => column.fillBytes(0)]) {
      assertRefused(InvalidArgumentError, /has gaps. Pass a contiguous tensor/, call);
    }
    assertRefused(InvalidArgumentError, /byte 256/, () => tensor.fillBytes(256));
  });

  it("a tensor or stream of another device", async () => {
    using mine = device().fromArray([1, 2], "f32");
    using theirs = other.fromArray([3, 4], "f32");
    assertRefused(InvalidArgumentError, /device, dtype and number of elements must agree/, () => mine.copyFrom(theirs));
    assertRefused(InvalidArgumentError, /stream belongs to another device/, () => mine.write([1, 2], other.stream));
    assertRefused(InvalidArgumentError, /stream belongs to another device/, () => mine.fillBytes(0, other.stream));
    await assertRejected(InvalidArgumentError, /stream belongs to another device/, () => mine.read(other.stream));
    using event = other.createEvent();
    assertRefused(InvalidArgumentError, /event of another device/, () => device().stream.waitFor(event));
    assertRefused(InvalidArgumentError, /stream of another device/, () => event.record(device().stream));
    assert.deepEqual([...await mine.read()], [1, 2]);
  });

  it("use after dispose", async () => {
    const tensor = device().tensor([2], "f32");
    const view = tensor.slice(0, 1);
    tensor.dispose();
    tensor.dispose();
    for (const dead of [tensor, view]) {
      assert.equal(dead.disposed, true);
      assertRefused(DisposedError, /f32 \[\d\]\) that was disposed/, () => dead.address);
      assertRefused(DisposedError, /that was disposed/, () => dead.fillBytes(0));
      await assertRejected(DisposedError, /that was disposed/, () => dead.read());
    }
    const [stream, event] = [device().createStream(), device().createEvent()];
    stream.dispose();
    event.dispose();
    assertRefused(DisposedError, /stream that was disposed/, () => stream.query());
    await assertRejected(DisposedError, /stream that was disposed/, () => stream.synchronize());
    assertRefused(DisposedError, /event that was disposed/, () => event.record());
    assertRefused(DisposedError, /event that was disposed/, () => device().stream.waitFor(event));
  });

  it("use of what belonged to a closed device", async () => {
    const closed = await openDevice({ backend });
    const [tensor, stream, event] = [closed.tensor([1], "i32"), closed.createStream(), closed.createEvent()];
    const graph = capture(stream, () => tensor.fillBytes(1, stream));
    closed.dispose();
    closed.dispose();
    assert.equal(closed.disposed, true);
    const calls = [
      () => tensor.address,
      () => stream.query(),
      () => event.query(),
      () => graph.launch(),
      () => closed.tensor([1], "i32"),
      () => closed.tensor([0], "i32"),
      () => closed.createStream(),
      () => closed.createEvent(),
      () => closed.memoryUsage(),
      () => closed.facts,
      () => closed.fromPointer(4096, [1], "i32"),
    ];
    for (const call of calls) assertRefused(DisposedError, /disposed/, call);
    await assertRejected(DisposedError, /its device was disposed/, () => closed.synchronize());
    for (const object of [tensor, stream, event, graph]) object.dispose();
  });

  it("foreign memory that can't be", () => {
    for (const address of [0, -8, 1.5, NaN, 2 ** 53]) {
      assertRefused(
        InvalidArgumentError,
        /pass a device address, an integer > 0/,
        () => device().fromPointer(address, [1], "f32"),
      );
    }
    assertRefused(
      InvalidArgumentError,
      /pass one integer >= 0 for each dimension/,
      () => device().fromPointer(4096, [1], "f32", []),
    );
    // Nothing is mapped there.
    assertRefused(InvalidArgumentError, /wrap foreign memory/, () => device().fromPointer(4096, [1 << 20], "f32"));
    using tensor = device().tensor([4], "f32");
    assertRefused(
      InvalidArgumentError,
      /overlap memory of this device.*needs no registering/,
      () => device().fromPointer(tensor.address, [4], "f32"),
    );
  });

  it("captures that can't be", async () => {
    using stream = device().createStream();
    using tensor = device().tensor([4], "i32");
    assertRefused(
      InvalidArgumentError,
      /captures a graph/,
      () => void capture(stream, () => tensor.write([1, 2, 3, 4], stream)),
    );
    assertRefused(
      InvalidArgumentError,
      /captures a graph already/,
      () => void capture(stream, () => void capture(stream, () => {})),
    );
    assert.throws(() =>
      capture(stream, () => {
        throw new RangeError("from the caller");
      }), RangeError);
    tensor.fillBytes(0, stream);
    assert.deepEqual([...await tensor.read(stream)], [0, 0, 0, 0], "the stream works on");
    using graph = capture(stream, () => tensor.fillBytes(1, stream));
    using theirs = other.createStream();
    assertRefused(InvalidArgumentError, /belongs to another device/, () => graph.launch(theirs));
    graph.dispose();
    assertRefused(DisposedError, /graph that was disposed/, () => graph.launch());
  });
});

onEveryBackend("bad input to openDevice", (_, backend) => {
  it("is refused by name", async () => {
    const open = (options: unknown) => () => openDevice(options as Parameters<typeof openDevice>[0]);
    await assertRejected(InvalidArgumentError, /backend is "metal"/, open({ backend: "metal" }));
    for (const ordinal of [-1, 0.5, NaN, 5000]) {
      await assertRejected(InvalidArgumentError, /ordinal is/, open({ backend, ordinal }));
    }
    await assertRejected(InvalidArgumentError, /numThreads is -1/, open({ backend, numThreads: -1 }));
    await assertRejected(UnavailableError, /./, open({ backend: "cuda", ordinal: 900 }));
    using device = await openDevice({ backend });
    assert.ok(device.name.length > 0 && device.reason.length > 0);
    assert.ok(device.facts.numProcessors >= 1);
  });
});
