/**
 * What prefill loses by its dtypes: the root mean square error of the output against f64 attention over numbers that were never rounded, for some
 * rows of a causal batch. The distributions are those of FlashAttention-3 (arXiv 2407.08608, section 4.3): normal, and normal with one number of
 * a thousand ten times as wide again.
 *
 *   deno run -A bench/prefill_accuracy.ts [--lengths 1024,16384] [--dim 128] [--rows 48] [--backend cuda]
 */
import { BatchAttention, type Device, type DType, openDevice, pageTable } from "../mod.ts";
import { isFp8 } from "../src/device/dtype.ts";
import { option } from "./support/cases.ts";

const [NUM_QO_HEADS, NUM_KV_HEADS, PAGE_SIZE] = [4, 1, 16];
const LARGEST_E4M3 = 448;

/** What is stored in which dtype. */
interface Format {
  name: string;
  dtype: DType;
  kvDtype?: DType;
  qDtype?: DType;
}
const FORMATS: readonly Format[] = [
  { name: "f16", dtype: "f16" },
  { name: "bf16", dtype: "bf16" },
  { name: "e4m3 K and V, f16 q", dtype: "f16", kvDtype: "e4m3" },
  { name: "e4m3 throughout", dtype: "f16", kvDtype: "e4m3", qDtype: "e4m3" },
];

/** Normal numbers; with outliers, one of a thousand gets another normal number times ten. */
function numbers(count: number, seed: number, outliers: boolean): Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296 + 2 ** -33;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from(
    { length: count },
    () => normal() + (outliers && uniform() < 0.001 ? 10 * normal() : 0),
  );
}

/** A batch of one causal request. */
interface Batch {
  length: number;
  dim: number;
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
}

function scaleOf(values: Float32Array, dtype: DType): number {
  if (!isFp8(dtype)) return 1;
  return Math.fround(values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / LARGEST_E4M3);
}

async function attend(device: Device, format: Format, { length, dim, q, k, v }: Batch): Promise<Float32Array> {
  const { dtype, kvDtype = dtype, qDtype = dtype } = format;
  const [qScale, kScale, vScale] = [scaleOf(q, qDtype), scaleOf(k, kvDtype), scaleOf(v, kvDtype)];
  const stored = (values: Float32Array, scale: number, as: DType, shape: number[]) =>
    device.fromArray(values.map((value) => value / scale), as, shape);
  const numPages = length / PAGE_SIZE;
  using qTensor = stored(q, qScale, qDtype, [length, NUM_QO_HEADS, dim]);
  using kTensor = stored(k, kScale, kvDtype, [numPages, PAGE_SIZE, NUM_KV_HEADS, dim]);
  using vTensor = stored(v, vScale, kvDtype, [numPages, PAGE_SIZE, NUM_KV_HEADS, dim]);
  using attention = new BatchAttention(device, {
    numQoHeads: NUM_QO_HEADS,
    numKvHeads: NUM_KV_HEADS,
    headDim: dim,
    dtype,
    kvDtype,
    qDtype,
    causal: true,
  });
  const indices = Array.from({ length: numPages }, (_, page) => page);
  attention.plan({
    qoIndptr: [0, length],
    pages: pageTable({ indptr: [0, numPages], indices, lastPageLen: [PAGE_SIZE], pageSize: PAGE_SIZE }),
  });
  using out = attention.run({ q: qTensor, qScale, cache: { k: kTensor, v: vTensor, kScale, vScale } });
  return await out.read() as Float32Array;
}

/** One row in f64. */
function exactRow({ dim, q, k, v }: Batch, token: number, head: number): Float64Array {
  const qAt = (token * NUM_QO_HEADS + head) * dim;
  const scores = new Float64Array(token + 1);
  for (let t = 0; t <= token; t++) {
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += q[qAt + d] * k[t * dim + d];
    scores[t] = dot / Math.sqrt(dim);
  }
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const out = new Float64Array(dim);
  let sum = 0;
  for (let t = 0; t <= token; t++) {
    const weight = Math.exp(scores[t] - top);
    sum += weight;
    for (let d = 0; d < dim; d++) out[d] += weight * v[t * dim + d];
  }
  return out.map((value) => value / sum);
}

const dim = Number(option("dim") ?? 128);
const numRows = Number(option("rows") ?? 48);
const device = await openDevice({ backend: (option("backend") ?? "cuda") as "cuda" | "cpu" });
for (const length of (option("lengths") ?? "1024,16384").split(",").map(Number)) {
  for (const outliers of [false, true]) {
    const batch: Batch = {
      length,
      dim,
      q: numbers(length * NUM_QO_HEADS * dim, 1, outliers),
      k: numbers(length * NUM_KV_HEADS * dim, 2, outliers),
      v: numbers(length * NUM_KV_HEADS * dim, 3, outliers),
    };
    // The last of each so many tokens: long rows and short ones.
    const rows = Array.from({ length: numRows }, (_, i) => ({
      token: Math.floor((i + 1) * length / numRows) - 1,
      head: i % NUM_QO_HEADS,
    }));
    const exact = rows.map(({ token, head }) => exactRow(batch, token, head));
    for (const format of FORMATS) {
      const out = await attend(device, format, batch);
      let [errors, squares] = [0, 0];
      rows.forEach(({ token, head }, i) => {
        const at = (token * NUM_QO_HEADS + head) * dim;
        for (let d = 0; d < dim; d++) {
          errors += (out[at + d] - exact[i][d]) ** 2;
          squares += exact[i][d] ** 2;
        }
      });
      const rmse = Math.sqrt(errors / (numRows * dim));
      const relative = 100 * Math.sqrt(errors / squares);
      console.log(
        `causal l=${length} d=${dim} ${outliers ? "outliers" : "normal"}  ${format.name.padEnd(20)} RMSE ${
          rmse.toExponential(2)
        }  ${relative.toFixed(3)} % of the output`,
      );
    }
  }
}
device.dispose();
