import assert from "node:assert/strict";
import { it } from "node:test";
import { FlashpageError, InvalidArgumentError, linear, openDevice, type Tensor } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRejected } from "../support/refused.ts";

onEveryBackend("streams and events", (device) => {
  /** Work for some ten milliseconds of one core at the least: enough that it can't end before the next call is made. */
  const heavy = (): { x: Tensor; weight: Tensor; out: Tensor; dispose(): void } => {
    const size = device().kind === "cuda" ? 8192 : 1024;
    const x = device().tensor([size, size], "bf16");
    const weight = device().tensor([size, size], "bf16");
    const out = device().tensor([size, size], "bf16");
    x.fillBytes(0);
    weight.fillBytes(0);
    return { x, weight, out, dispose: () => [x, weight, out].forEach((tensor) => tensor.dispose()) };
  };

  it("let a call return before its work ends", async () => {
    const work = heavy();
    await device().synchronize();
    for (let i = 0; i < 64; i++) linear(work);
    assert.equal(device().stream.query(), false, "the work ended inside the call");
    await device().synchronize();
    assert.equal(device().stream.query(), true);
    work.dispose();
  });

  it("leave the event loop free while work goes on", async () => {
    const work = heavy();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (let i = 0; i < 16; i++) linear(work);
    await device().synchronize();
    clearInterval(timer);
    work.dispose();
    assert.ok(turns > 0, "no timer ran");
  });

  it("keep memory that was freed until the work that reads it is done", async () => {
    const before = device().memoryUsage();
    const work = heavy();
    for (let i = 0; i < 8; i++) linear(work);
    work.dispose();
    const during = device().memoryUsage();
    assert.equal(during.allocatedBytes, before.allocatedBytes);
    assert.ok(during.pendingBytes > 0, "memory went back while work used it");
    await device().synchronize();
    assert.equal(device().memoryUsage().pendingBytes, 0);
  });

  it("wait for the last record of an event, not for later ones", async () => {
    using first = device().createStream();
    using second = device().createStream();
    using to = device().createEvent();
    using back = device().createEvent();
    // Each waits for the other in turn, by the same two events: whoever waited for a later record would wait for itself.
    for (let round = 0; round < 20; round++) {
      to.record(second);
      first.waitFor(to);
      back.record(first);
      second.waitFor(back);
    }
    to.record(second);
    await first.synchronize();
    await second.synchronize();
    await to.synchronize();
  });

  it("wait for events of other streams", async () => {
    using producer = device().createStream();
    using consumer = device().createStream();
    using event = device().createEvent();
    const work = heavy();
    await device().synchronize();
    using source = device().tensor([4], "i32");
    using target = device().tensor([4], "i32");
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 3; i++) linear({ ...work, stream: producer });
      source.write(Int32Array.of(round, 1, 2, 3), producer);
      event.record(producer);
      consumer.waitFor(event);
      target.copyFrom(source, consumer);
      assert.deepEqual([...await target.read(consumer)], [round, 1, 2, 3]);
      await producer.synchronize();
    }
    work.dispose();
  });

  it("time work between events", async () => {
    using start = device().createEvent();
    using end = device().createEvent();
    assert.equal(start.query(), true, "an event that was never recorded holds nobody up");
    const work = heavy();
    await device().synchronize();
    start.record();
    linear(work);
    end.record();
    await end.synchronize();
    assert.ok(start.millisecondsUntil(end) > 0);
    assert.ok(end.millisecondsUntil(start) < 0);
    work.dispose();
  });

  it("refuse to time what has not happened", async () => {
    using start = device().createEvent();
    using end = device().createEvent();
    assert.throws(() => start.millisecondsUntil(end), InvalidArgumentError);
    start.record();
    await device().synchronize();
    assert.throws(() => start.millisecondsUntil(end), /end event was never recorded/);
  });

  it("may be disposed with work under way", async () => {
    const work = heavy();
    const stream = device().createStream();
    const event = device().createEvent();
    for (let i = 0; i < 4; i++) linear({ ...work, stream });
    event.record(stream);
    device().stream.waitFor(event);
    stream.dispose();
    event.dispose();
    stream.dispose();
    await device().synchronize();
    work.dispose();
    assert.throws(() => stream.query(), FlashpageError);
  });

  it("are waited for by the device when they were disposed with work under way", async () => {
    const work = heavy();
    await device().synchronize();
    let numBusy = 0;
    for (let round = 0; round < 5; round++) {
      const stream = device().createStream();
      for (let i = 0; i < 16; i++) linear({ ...work, stream }); // Into the same output: one after another.
      const freed = device().tensor([1024], "u8");
      freed.dispose();
      stream.dispose();
      if (device().memoryUsage().pendingBytes > 0) numBusy++;
      await device().synchronize();
      assert.equal(device().memoryUsage().pendingBytes, 0);
    }
    assert.ok(numBusy > 0, "the work always ended before it was waited for");
    work.dispose();
  });

  it("fail a pending read when the device goes", async () => {
    const other = await openDevice({ backend: device().kind });
    const tensor = other.tensor([1024, 1024], "bf16");
    tensor.fillBytes(0);
    // 64 MB take milliseconds to copy; and the read waits behind the products.
    const large = other.tensor([32, 1024, 1024], "bf16");
    large.fillBytes(0);
    for (let i = 0; i < 32; i++) linear({ x: tensor, weight: tensor }).dispose();
    const pending = assertRejected(FlashpageError, /disposed/, () => large.read());
    other.dispose();
    await pending;
  });
});
