import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { memorySource } from "../../examples/model/byte_source.ts";
import { ModelError } from "../../examples/model/errors.ts";
import { GgufFile } from "../../examples/model/gguf.ts";
import {
  bool,
  f32,
  float,
  floats,
  ggufBytes,
  type GgufSpec,
  string,
  strings,
  type TypedValue,
  u32,
  u64,
  uint,
} from "../support/gguf_writer.ts";

const spec: GgufSpec = {
  metadata: [
    ["general.architecture", string("llama")],
    ["an.uint", uint(7)],
    ["a.float", float(0.5)],
    ["a.bool", bool(true)],
    ["a.u64", { type: 10, bytes: u64(2 ** 40) }],
    ["a.negative", { type: 5, bytes: u32(-3) }],
    ["a.byte", { type: 1, bytes: [254] }],
    ["a.short", { type: 3, bytes: [0xff, 0xff] }],
    ["words", strings(["one", "zwei", "三", ""])],
    ["numbers", floats([1, -2.5])],
  ],
  tensors: [
    ["a", { dims: [3, 2], values: [1, 2, 3, 4, 5, 6] }],
    ["b", { dims: [5], values: [9, 8, 7, 6, 5] }],
    ["c", { dims: [32, 1], type: 8, blocks: Uint8Array.from({ length: 34 }, (_, i) => i) }],
  ],
};
const parse = (bytes: Uint8Array) => new GgufFile(memorySource("tiny.gguf", bytes));
const refuses = (bytes: Uint8Array, pattern: RegExp) =>
  assert.throws(
    () => parse(bytes),
    (error: Error) => {
      assert.ok(error instanceof ModelError, `${error.name}: ${error.message}`);
      assert.match(error.message, pattern);
      return true;
    },
  );

describe("GgufFile", () => {
  it("reads metadata of every kind", () => {
    const { metadata } = parse(ggufBytes(spec));
    assert.equal(metadata.string("general.architecture"), "llama");
    assert.equal(metadata.integer("an.uint"), 7);
    assert.equal(metadata.number("a.float"), 0.5);
    assert.equal(metadata.boolean("a.bool"), true);
    assert.equal(metadata.integer("a.u64"), 2 ** 40);
    assert.equal(metadata.number("a.negative"), -3);
    assert.equal(metadata.number("a.byte"), -2);
    assert.equal(metadata.number("a.short"), -1);
    assert.deepEqual(metadata.strings("words"), ["one", "zwei", "三", ""]);
    assert.deepEqual(metadata.numbers("numbers"), [1, -2.5]);
    assert.equal(metadata.integer("absent", 5), 5);
  });

  it("finds tensors, shapes outermost first", () => {
    const file = parse(ggufBytes(spec));
    const { shape, numElements, format } = file.tensor("a");
    assert.deepEqual([shape, numElements, format.name], [[2, 3], 6, "F32"]);
    const values = new Float32Array(3);
    file.tensor("a").format.dequantise(file.readBlocks(file.tensor("a"), 3, 6), values);
    assert.deepEqual([...values], [4, 5, 6]);
    assert.deepEqual([...file.readBlocks(file.tensor("c"), 0, 32)], Array.from({ length: 34 }, (_, i) => i));
    assert.throws(() => file.tensor("d"), /no tensor d/);
  });

  it("reads a file as it reads memory, also with values across its window", () => {
    const folder = mkdtempSync(join(tmpdir(), "flashpage-gguf-"));
    try {
      const words = Array.from({ length: 200000 }, (_, i) => `word ${i}`);
      const path = join(folder, "long.gguf");
      writeFileSync(path, ggufBytes({ ...spec, metadata: [["words", strings(words)], ["after", uint(3)]] }));
      using file = GgufFile.open(path);
      assert.deepEqual(file.metadata.strings("words"), words);
      assert.equal(file.metadata.integer("after"), 3);
      assert.deepEqual([...new Float32Array(file.readBlocks(file.tensor("b"), 0, 5).buffer)], [9, 8, 7, 6, 5]);
      assert.throws(() => GgufFile.open(folder), /it is no file/);
    } finally {
      rmSync(folder, { recursive: true });
    }
    assert.throws(() => GgufFile.open(join(folder, "absent.gguf")), ModelError);
  });

  it("says what is wrong with the type of a value", () => {
    const { metadata } = parse(ggufBytes(spec));
    assert.throws(() => metadata.integer("a.float"), /a\.float is 0\.5\. Expected an integer/);
    assert.throws(() => metadata.integer("a.negative"), /Expected an integer >= 0/);
    assert.throws(() => metadata.string("an.uint"), /an\.uint is 7\. Expected text/);
    assert.throws(() => metadata.numbers("words"), /a list of 4\. Expected a list of numbers/);
    assert.throws(() => metadata.string("absent"), /lacks absent/);
  });

  it("refuses a file cut off anywhere", () => {
    const whole = ggufBytes(spec);
    for (let length = 0; length < whole.length - 30; length++) refuses(whole.slice(0, length), /tiny\.gguf|GGUF/);
  });

  it("refuses what is no GGUF, and versions that it does not know", () => {
    refuses(ggufBytes({ magic: "GGML" }), /no GGUF file/);
    refuses(new Uint8Array(0), /no GGUF file/);
    refuses(ggufBytes({ version: 1 }), /version 1/);
    refuses(ggufBytes({ version: 0x03000000 }), /little-endian/);
  });

  it("refuses counts that the file can't hold, before it allocates for them", () => {
    refuses(ggufBytes({ ...spec, numTensors: 2 ** 50 }), /claims/);
    refuses(ggufBytes({ ...spec, numKeys: 2 ** 40 }), /claims/);
    const array: TypedValue = { type: 9, bytes: [...u32(4), ...u64(2 ** 50)] };
    refuses(ggufBytes({ metadata: [["long", array]] }), /an array claims/);
    refuses(ggufBytes({ metadata: [["long", { type: 8, bytes: u64(2 ** 52) }]] }), /bytes \d+ to/);
    refuses(ggufBytes({ metadata: [["nested", { type: 9, bytes: [...u32(9), ...u64(0)] }]] }), /type 9/);
    refuses(
      ggufBytes({ metadata: [["big", { type: 10, bytes: new Array(8).fill(255) }]] }),
      /integer 18446744073709551615/,
    );
  });

  it("refuses damaged entries, naming them", () => {
    refuses(
      ggufBytes({ metadata: [["odd", { type: 13, bytes: [] }]], tensors: spec.tensors }),
      /odd has value type 13/,
    );
    refuses(ggufBytes({ metadata: [["twice", uint(1)], ["twice", uint(2)]] }), /twice twice/);
    refuses(ggufBytes({ tensors: [["t", { dims: [1, 1, 1, 1, 1], values: f32(1) }]] }), /5 dimensions/);
    refuses(ggufBytes({ tensors: [["t", { dims: [4], type: 23, blocks: new Uint8Array(16) }]] }), /ggml type is 23/);
    refuses(
      ggufBytes({ tensors: [["t", { dims: [33], type: 8, blocks: new Uint8Array(68) }]] }),
      /no whole Q8_0 blocks/,
    );
    refuses(
      ggufBytes({ tensors: [["t", { dims: [2 ** 30, 2 ** 30], values: [] }]] }),
      /rows are no whole|ends at byte/,
    );
    refuses(
      ggufBytes({ tensors: [["t", { dims: [1], values: [1] }], ["t", { dims: [1], values: [1] }]] }),
      /two tensors t/,
    );
    refuses(ggufBytes({ tensors: [["t", { dims: [100], values: [1] }]] }), /tensor t ends at byte/);
    refuses(ggufBytes({ metadata: [["general.alignment", uint(0)]] }), /alignment is 0/);
  });
});
