import assert from "node:assert/strict";
import { it } from "node:test";
import { embedding } from "../../mod.ts";
import { onEveryBackend } from "../support/backends.ts";
import { FLOAT_DTYPES } from "../support/matrix.ts";
import { Random } from "../support/random.ts";

onEveryBackend("embedding", (device) => {
  for (const dtype of FLOAT_DTYPES) {
    for (const dim of [1, 3, 64, 577]) {
      it(`${dtype}, rows of ${dim}: copies rows bit for bit, and zeros for ids outside the vocabulary`, async () => {
        const vocabSize = 37;
        using table = device().fromArray(new Random(dim).normals(vocabSize * dim), dtype, [vocabSize, dim]);
        const wanted = [36, 0, 5, -1, 37, 5, 0x7fffffff, -0x80000000, 12];
        using ids = device().fromArray(wanted, "i32");
        using out = device().tensor([wanted.length, dim], dtype);
        out.fillBytes(255);
        assert.equal(embedding({ ids, table, out }), out);
        const rows = await table.readRaw();
        const got = await out.readRaw();
        wanted.forEach((id, i) => {
          const expected = id >= 0 && id < vocabSize
            ? [...rows.subarray(id * dim, (id + 1) * dim)]
            : Array(dim).fill(0);
          assert.deepEqual([...got.subarray(i * dim, (i + 1) * dim)], expected, `id ${id}`);
        });
      });
    }
  }
});
