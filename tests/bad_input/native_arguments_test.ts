/**
 * The ABI under damaged arguments: whatever numbers reach the library, it answers with a status and goes on. TypeScript's own checks are
 * left out here on purpose: they must not be all that stands between a mistake and a crash.
 */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import {
  argmax,
  BatchAttention,
  type Device,
  DeviceBatch,
  embedding,
  linear,
  mergeStates,
  openDevice,
  PagedKvCache,
  pageTable,
  rmsNorm,
  rope,
  RunTrace,
  sample,
  sharedPrefixLevels,
  siluAndMul,
} from "../../mod.ts";
import { SAMPLING_ROW, StatusCode, STRUCTS } from "../../src/ffi/structs.gen.ts";
import { SIGNATURES } from "../../src/ffi/symbols.gen.ts";
import { onEveryBackend } from "../support/backends.ts";
import { hasFp8 } from "../support/fp8.ts";
import { Random } from "../support/random.ts";

type Operation = keyof Device["native"] & `fp_${string}`;
type Foreign = (...args: unknown[]) => number;

/** Numbers that are wrong nearly everywhere: limits, signs, fractions, no numbers at all. */
const ODD = [
  0,
  1,
  -1,
  2,
  3,
  5,
  7,
  64,
  1023,
  65535,
  65536,
  2 ** 20,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 32,
  2 ** 47,
  2 ** 53,
  2 ** 63,
];
const ODDER = [...ODD, 0.5, -0.5, 1e300, NaN, Infinity, -Infinity];

/** What one good call of each operation passes: a list of structs by operation. `kvDtype`: of the KV cache, and of q. */
function goodArguments(
  device: Device,
  kvDtype: "bf16" | "e4m3",
): { args: Map<Operation, Uint8Array>; dispose(): void } {
  const args = new Map<Operation, Uint8Array>();
  const native = device.native as unknown as Record<string, Foreign>;
  const originals = new Map<string, Foreign>();
  for (const [name, { parameters }] of Object.entries(SIGNATURES)) {
    if (
      parameters.length !== 2 || parameters[1] !== "buffer" ||
      !/attention_run|plan_decode|merge_states|kv_|rms|rope|silu|embedding|linear|argmax|sample/.test(name)
    ) continue;
    originals.set(name, native[name]);
    native[name] = (stream, bytes) => {
      args.set(name as Operation, (bytes as Uint8Array).slice());
      return originals.get(name)!(stream, bytes);
    };
  }
  const stack = new DisposableStack();
  const zeros = (shape: number[], dtype: "bf16" | "f32" | "i32" | "e4m3"): ReturnType<Device["tensor"]> => {
    const tensor = stack.use(device.tensor(shape, dtype));
    tensor.fillBytes(0);
    return tensor;
  };
  try {
    const x = zeros([4, 64], "bf16");
    const logits = zeros([4, 64], "f32");
    rmsNorm({
      x,
      weight: zeros([64], "bf16"),
      eps: 1e-5,
      residual: zeros([4, 64], "bf16"),
      out: zeros([4, 64], "bf16"),
    });
    siluAndMul({ x, out: zeros([4, 32], "bf16") });
    rope({ x: zeros([4, 2, 64], "bf16"), positions: zeros([4], "i32"), invFreq: zeros([32], "f32") });
    embedding({ ids: zeros([4], "i32"), table: x, out: zeros([4, 64], "bf16") });
    linear({ x, weight: zeros([8, 64], "bf16"), bias: zeros([8], "bf16"), out: zeros([4, 8], "f32") });
    argmax({ logits, out: zeros([4], "i32") });
    sample({ logits, params: [{}, {}, {}, {}], out: zeros([4], "i32") });
    mergeStates({
      states: zeros([2, 4, 2, 64], "bf16"),
      lses: zeros([2, 4, 2], "f32"),
      out: zeros([4, 2, 64], "bf16"),
      lse: zeros([4, 2], "f32"),
    });
    const scales = kvDtype === "bf16" ? {} : { kScale: 0.5, vScale: [1, 2] };
    const cache = stack.use(
      new PagedKvCache(device, { numPages: 40, pageSize: 4, numKvHeads: 2, headDim: 64, dtype: kvDtype, ...scales }),
    );
    cache.layer(0).k.fillBytes(0);
    cache.layer(0).v.fillBytes(0);
    const parent = cache.createSequence();
    const kv = { k: zeros([3, 2, 64], "bf16"), v: zeros([3, 2, 64], "bf16") };
    const invFreq = zeros([32], "f32");
    cache.append([parent], { ...kv, rope: { invFreq } });
    const child = parent.fork();
    cache.append([child], { ...kv, rope: { invFreq } });
    if (kvDtype !== "bf16" && !hasFp8(device, kvDtype)) return { args, dispose: () => stack.dispose() };
    const attention = stack.use(
      new BatchAttention(device, {
        numQoHeads: 4,
        numKvHeads: 2,
        headDim: 64,
        dtype: "bf16",
        kvDtype,
        qDtype: kvDtype,
        causal: true,
      }),
    );
    const suffixes = pageTable({ indptr: [0, 1, 2], indices: [30, 31], lastPageLen: [2, 4], pageSize: 4 });
    const pages = Int32Array.from({ length: 30 }, (_, page) => page);
    const planned = stack.use(
      new BatchAttention(device, {
        numQoHeads: 4,
        numKvHeads: 2,
        headDim: 64,
        dtype: "bf16",
        causal: true,
        capacity: { maxTokens: 4, maxRequests: 4, maxPages: 40 },
      }),
    );
    const batch = stack.use(new DeviceBatch(device, { maxRequests: 4, maxPages: 40, pageSize: 4 }));
    batch.write({ pages: { indptr: Int32Array.of(0, 20, 30), indices: pages }, kvLens: [70, 9] });
    planned.planOnDevice(batch);
    attention.plan({
      qoIndptr: [0, 1, 4],
      levels: sharedPrefixLevels([0, 1, 4], [{ requests: [1, 0], pages }], suffixes),
    });
    attention.run({
      q: zeros([4, 4, 64], kvDtype),
      qScale: kvDtype === "bf16" ? 1 : stack.use(device.fromArray([1, 2, 3, 4], "f32")),
      cache,
      out: zeros([4, 4, 64], "bf16"),
      lse: zeros([4, 4], "f32"),
      trace: stack.use(new RunTrace(device)),
    });
  } finally {
    for (const [name, original] of originals) native[name] = original;
  }
  // `sample` gives the memory of its parameters back at once; a struct that is used again needs some that stays.
  const bytes = args.get("fp_sample")!;
  const [, , rowsOffset] = structOf(bytes, "fp_sample").fields.find(([name]) => name === "rows")!;
  new DataView(bytes.buffer).setFloat64(rowsOffset, zeros([4 * SAMPLING_ROW.words], "i32").address, true);
  return { args, dispose: () => stack.dispose() };
}

function structOf(bytes: Uint8Array, operation: string): (typeof STRUCTS)[number] {
  const name = operation === "fp_attention_run" ? "fp_attention_args" : `${operation}_args`;
  const found = STRUCTS.find((struct) => struct.name === name);
  assert.ok(found !== undefined && found.byteLength === bytes.length, operation);
  return found;
}

function writeField(view: DataView, [, type, offset]: (typeof STRUCTS)[number]["fields"][number], value: number): void {
  if (type === "f64") view.setFloat64(offset, value, true);
  else if (type === "f32") view.setFloat32(offset, value, true);
  else view.setInt32(offset, value | 0, true);
}

onEveryBackend("the ABI under damaged arguments", (device, backend) => {
  let good: ReturnType<typeof goodArguments>;
  /** The operations on an FP8 cache; without attention where the device has none. */
  let fp8: ReturnType<typeof goodArguments>;
  before(async () => {
    good = goodArguments(device(), "bf16");
    fp8 = goodArguments(device(), "e4m3");
    await device().synchronize();
  });
  after(() => {
    good.dispose();
    fp8.dispose();
  });

  const call = (operation: Operation, bytes: Uint8Array): number => {
    const status = (device().native as unknown as Record<string, Foreign>)[operation](device().stream.handle, bytes);
    assert.ok(Object.values(StatusCode).includes(status as 0), `${operation} gave status ${status}`);
    assert.notEqual(status, StatusCode.INTERNAL, `${operation}: ${device().native.fp_last_error()}`);
    if (status !== 0) assert.match(device().native.fp_last_error(), /^Cannot .+: .+/s);
    return status;
  };
  /** Failures of work that was accepted arrive later; they too must be typed, and over after they were told. */
  const settle = async (): Promise<void> => {
    for (let tries = 0; tries < 3; tries++) {
      try {
        await device().synchronize();
        return;
      } catch (error) {
        assert.equal((error as { code?: string }).code, "InvalidArgumentError", String(error));
      }
    }
  };

  it("every operation is tried", () => {
    const names = Object.keys(SIGNATURES).filter((name) => STRUCTS.some((struct) => struct.name === `${name}_args`));
    assert.deepEqual([...good.args.keys()].filter((name) => name !== "fp_attention_run").sort(), names.sort());
    assert.ok(good.args.has("fp_attention_run"));
  });

  // A GPU reads the plan itself, where nobody checks it: there a plan must be what the planner made.
  const damaged = (): [Operation, Uint8Array][] =>
    [...good.args, ...[...fp8.args].filter(([operation]) => /attention|kv_/.test(operation))]
      .filter(([operation]) => backend === "cpu" || operation !== "fp_attention_run");

  it("each field in turn takes each odd value", async () => {
    let refused = 0;
    for (const [operation, bytes] of damaged()) {
      for (const field of structOf(bytes, operation).fields) {
        for (const value of ODDER) {
          const copy = bytes.slice();
          writeField(new DataView(copy.buffer), field, value);
          if (call(operation, copy) !== 0) refused++;
          else await settle();
        }
      }
    }
    assert.ok(refused > 1000, `only ${refused} were refused`);
    for (const [operation, bytes] of good.args) assert.equal(call(operation, bytes), 0, `${operation} no longer works`);
    await device().synchronize();
  });

  it("several fields at once, at random", async () => {
    const random = new Random(11);
    for (const [operation, bytes] of damaged()) {
      const { fields } = structOf(bytes, operation);
      for (let round = 0; round < 300; round++) {
        const copy = bytes.slice();
        for (let n = random.integer(1, 4); n > 0; n--) {
          writeField(new DataView(copy.buffer), random.pick(fields), random.pick(ODDER));
        }
        if (call(operation, copy) === 0) await settle();
      }
    }
    await device().synchronize();
  });

  it("a null or foreign-sized struct", () => {
    for (const [operation, bytes] of good.args) {
      assert.equal(
        (device().native as unknown as Record<string, Foreign>)[operation](device().stream.handle, null),
        StatusCode.INVALID_ARGUMENT,
      );
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(0, bytes.length - 8, true);
      assert.equal(call(operation, copy), StatusCode.INVALID_ARGUMENT);
      assert.match(device().native.fp_last_error(), /struct_size.*different versions/);
    }
  });

  if (backend === "cpu") {
    it("a plan whose words were overwritten", async () => {
      const random = new Random(3);
      const bytes = good.args.get("fp_attention_run")!;
      const view = new DataView(bytes.buffer);
      const offsetOf = (name: string): number =>
        structOf(bytes, "fp_attention_run").fields.find(([field]) => field === name)![2];
      const [address, numBytes] = [
        view.getFloat64(offsetOf("plan"), true),
        view.getFloat64(offsetOf("plan_bytes"), true),
      ];
      // The plan's memory as a tensor: another device may wrap it.
      using other = await openDevice({ backend: "cpu" });
      using plan = other.fromPointer(address, [numBytes / 4], "i32");
      const words = await plan.read() as Int32Array<ArrayBuffer>;
      const used = 32 + words.findLastIndex((word) => word !== 0);
      let failures = 0;
      for (let round = 0; round < 1500; round++) {
        const damaged = words.slice();
        for (let n = random.integer(1, 3); n > 0; n--) {
          const at = random.integer(0, Math.min(used, words.length - 1));
          damaged[at] = random.pick([random.pick(ODD) | 0, damaged[at] + 1, damaged[at] - 1, damaged[at] * 64]);
        }
        plan.write(damaged);
        await other.synchronize();
        assert.equal(call("fp_attention_run", bytes), 0);
        try {
          await device().synchronize();
        } catch (error) {
          failures++;
          assert.equal((error as { code?: string }).code, "InvalidArgumentError", String(error));
        }
      }
      assert.ok(failures > 100, `only ${failures} damaged plans were noticed`);
      plan.write(words);
      await other.synchronize();
      assert.equal(call("fp_attention_run", bytes), 0);
      await device().synchronize();
    });
  }

  it("handles of nothing, of something else, and of what is gone", () => {
    const { native } = device();
    const stream = device().createStream();
    const stale = stream.handle;
    stream.dispose();
    const event = device().createEvent();
    const wrong = [...ODDER, stale, event.handle, device().handle, stale + 2 ** 20 * 5];
    for (const handle of wrong) {
      for (const [name, { parameters }] of Object.entries(SIGNATURES)) {
        if (!/^fp_(stream|graph|download|attention_run|linear)/.test(name) || /create|begin_capture/.test(name)) {
          continue;
        }
        const args = parameters.map((type, i) => i === 0 ? handle : type === "buffer" ? new Uint8Array(512) : 0);
        const status = (native as unknown as Record<string, Foreign>)[name](...args);
        assert.equal(status, StatusCode.INVALID_HANDLE, `${name}(${handle}): ${native.fp_last_error()}`);
      }
    }
    event.dispose();
  });
});
