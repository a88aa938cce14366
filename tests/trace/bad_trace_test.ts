/** Traces refuse what they cannot do, and name the value. */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  BatchAttention,
  DisposedError,
  InvalidArgumentError,
  openDevice,
  PagedKvCache,
  pageTable,
  RunTrace,
  toPerfetto,
  type TraceRecord,
  traceSvg,
} from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { assertRefused, assertRejected } from "../support/refused.ts";

onEveryBackend("bad input to a run trace", (device, backend) => {
  const refuses = (action: () => unknown, pattern: RegExp, type = InvalidArgumentError): void =>
    assertRefused(type, pattern, action);

  it("options", async () => {
    for (const capacity of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      refuses(
        () => new RunTrace(device(), { capacity }),
        new RegExp(`capacity is ${capacity}\\. Pass an integer from 1`),
      );
    }
    using other = await openDevice({ backend });
    refuses(() => new RunTrace(device(), { stream: other.stream }), /the stream belongs to another device/);
  });

  it("runs that it is not for, and plans that it is not of", async () => {
    const heads = { numKvHeads: 2, headDim: 64, dtype: "bf16" as const };
    using cache = new PagedKvCache(device(), { ...heads, numPages: 2, pageSize: 16 });
    using attention = new BatchAttention(device(), { ...heads, numQoHeads: 2 });
    using q = device().tensor([1, 2, 64], "bf16");
    using out = device().tensor([1, 2, 64], "bf16");
    for (const tensor of [q, cache.layer(0).k, cache.layer(0).v]) tensor.fillBytes(0);
    const plan = attention.plan({
      qoIndptr: [0, 1],
      pages: pageTable({ indptr: [0, 2], indices: [0, 1], lastPageLen: [3], pageSize: 16 }),
    });
    using other = await openDevice({ backend });
    using foreign = new RunTrace(other);
    refuses(() => attention.run({ q, cache, out, trace: foreign }), /the trace lies on .*, the attention on /);
    using stream = device().createStream();
    using late = new RunTrace(device(), { stream });
    refuses(() => attention.run({ q, cache, out, trace: late }), /its stream is another than the trace's/);

    const gone = new RunTrace(device(), { capacity: 4 });
    gone.dispose();
    gone.dispose();
    refuses(
      () => attention.run({ q, cache, out, trace: gone }),
      /Cannot trace a run: the trace was disposed/,
      DisposedError,
    );
    refuses(() => gone.reset(), /Cannot reset a run trace: the trace was disposed/, DisposedError);
    await assertRejected(DisposedError, /Cannot read a run trace: the trace was disposed/, () => gone.read());

    using trace = new RunTrace(device(), { capacity: 4 });
    attention.run({ q, cache, out, trace });
    const { records } = await trace.read();
    assert.equal(records.length, plan.numWorkItems);
    for (const tell of [toPerfetto, (list: readonly TraceRecord[]) => traceSvg(plan, list)]) {
      for (const wrong of [{ workItem: 7 }, { workItem: -1 }, { kvHeadBegin: 1, numKvHeads: 2 }]) {
        refuses(() => tell([{ ...records[0], ...wrong }], plan), /which the plan of \d+ items does not have/);
      }
    }
    refuses(() => traceSvg(plan, [{ ...records[0], cta: 65535 }]), /a record is of CTA 65535/);
  });
});
