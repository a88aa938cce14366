import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blockFormat, blockFormats } from "../../examples/model/dequantise.ts";
import { ModelError } from "../../examples/model/errors.ts";
import { F16_TO_F32 } from "../../examples/model/half.ts";
import { golden } from "../support/golden.ts";

const { formats } = golden<{ formats: { name: string; type: number; blocks: string; values: string }[] }>(
  "ggml_blocks.json",
);
const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

describe("dequantise", () => {
  it("has a golden block of every format", () => {
    assert.deepEqual(formats.map(({ name }) => name).sort(), blockFormats().map(({ name }) => name).sort());
  });

  for (const { name, type, blocks, values } of formats) {
    it(`unpacks ${name} as the gguf package does`, () => {
      const format = blockFormat(type, "t");
      assert.equal(format.name, name);
      const bytes = bytesOf(blocks);
      const expected = new Float32Array(bytesOf(values).buffer);
      assert.equal(bytes.length, expected.length / format.blockLength * format.blockBytes);
      const out = new Float32Array(expected.length).fill(NaN);
      format.dequantise(bytes, out);
      // Both round to f32, but not after the same steps: d * scale * q - dmin * minimum takes up to three roundings.
      const largest = expected.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
      for (let i = 0; i < out.length; i++) {
        assert.ok(Math.abs(out[i] - expected[i]) <= 2 ** -22 * largest, `${name}[${i}]: ${out[i]}, not ${expected[i]}`);
      }
    });
  }

  it("refuses other types, naming the tensor and what is supported", () => {
    assert.throws(
      () => blockFormat(23, "blk.0.attn_q.weight"),
      (error: Error) => error instanceof ModelError && /blk\.0\.attn_q\.weight.*23.*Q4_K.*BF16/.test(error.message),
    );
  });

  it("knows every f16 number", () => {
    const halves = [
      [0x0000, 0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [
        0x0400,
        2 ** -14,
      ],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x3555, 0.333251953125],
    ];
    for (const [bits, value] of halves) assert.equal(F16_TO_F32[bits], value);
    assert.ok(Object.is(F16_TO_F32[0x8000], -0));
    assert.ok(Number.isNaN(F16_TO_F32[0x7e00]));
  });
});
