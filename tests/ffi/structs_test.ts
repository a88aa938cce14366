/** Every field of every struct, written by the generated views and read by the library. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { camelCase, pascalCase } from "../../scripts/ffi_gen/parse_header.ts";
import { loadNative } from "../../src/ffi/native.ts";
import * as structs from "../../src/ffi/structs.gen.ts";

type View = { bytes: Uint8Array } & Record<string, number>;
type ViewClass = { new (): View; byteLength: number };

const LIMITS: Record<"i32" | "u32" | "f32" | "f64", number[]> = {
  i32: [-(2 ** 31), 2 ** 31 - 1, -1, 1, 0],
  u32: [2 ** 32 - 1, 2 ** 31, 1, 0],
  f32: [Math.fround(3.4028234663852886e38), -(2 ** -149), 2 ** -126, Infinity, -Infinity, NaN, -0, 0.5],
  f64: [2 ** 53 - 1, -(2 ** 53), Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 47, Infinity, NaN, -0, 1 / 3],
};

const native = await loadNative();

function readAll(id: number, view: View, numFields: number): Float64Array {
  const fields = new Float64Array(numFields);
  native.check(native.fp_selftest_struct(id, view.bytes, view.bytes.length, fields, numFields), "read a struct");
  return fields;
}

describe("structs", () => {
  structs.STRUCTS.forEach(({ name, byteLength, fields }, id) => {
    const Class = (structs as unknown as Record<string, ViewClass>)[pascalCase(name)];

    it(`${name}: each field at its limits, and no other with it`, () => {
      assert.equal(Class.byteLength, byteLength);
      fields.forEach(([field, type], index) => {
        const property = camelCase(field);
        for (const value of field === "struct_size" ? [byteLength] : LIMITS[type]) {
          const view = new Class();
          assert.equal(view.bytes.length, byteLength);
          if (field !== "struct_size") {
            view[property] = value;
            assert.ok(Object.is(view[property], value), `${field} reads back ${view[property]}`);
          }
          const read = readAll(id, view, fields.length);
          fields.forEach(([other], i) => {
            const expected = i === index ? value : other === "struct_size" ? byteLength : 0;
            assert.ok(Object.is(read[i], expected), `${field} = ${value}: the library reads ${other} as ${read[i]}`);
          });
        }
      });
    });

    it(`${name}: word offsets agree with the fields`, () => {
      const words =
        (structs as unknown as Record<string, Record<string, number>>)[name.replace(/^fp_/, "").toUpperCase()];
      assert.equal(words.words, byteLength / 4);
      for (const [field, , offset] of fields) assert.equal(words[camelCase(field)], offset / 4, field);
    });
  });

  it("refuse another size, and a struct that is not there", () => {
    const fields = new Float64Array(4);
    assert.throws(() => native.check(native.fp_selftest_struct(999, fields, 8, fields, 1), "x"), /struct_id is 999/);
    assert.throws(
      () => native.check(native.fp_selftest_struct(1, new Uint8Array(8), 8, fields, 4), "x"),
      /and the caller has 8 bytes/,
    );
    assert.throws(() => native.check(native.fp_selftest_struct(1, null, 32, fields, 4), "x"), /null/);
  });
});
