/** Attention over a batch of given lengths, ready to be run again and again. */
import {
  BatchAttention,
  capture,
  type CapturedGraph,
  type Device,
  type PageTable,
  pageTableFromLists,
  type Plan,
  type Tensor,
} from "../../mod.ts";
import { randomTensor } from "./random_tensor.ts";

/** What is attended to. */
export interface AttentionCase {
  /** Query and KV tokens of each request. */
  readonly qoLens: readonly number[];
  readonly kvLens: readonly number[];
  readonly numQoHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  readonly windowLeft?: number;
  /** 0: dense, as pages of 1024 in order. */
  readonly pageSize: number;
  /** Of q, K and V; with e4m3 the output is bf16. bf16 by default. */
  readonly dtype?: "bf16" | "e4m3";
  /** Of K and V, if not `dtype`. */
  readonly kvDtype?: "bf16" | "e4m3";
  /** Requests that the plan has room for, and a graph is captured and replayed. Undefined: no graph. */
  readonly graphCapacity?: number;
}

/** A batch, planned and with its tensors made. */
export class PreparedAttention implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #attention: BatchAttention;
  readonly #q: Tensor;
  readonly #k: Tensor;
  readonly #v: Tensor;
  readonly #out: Tensor;

  readonly #graph: CapturedGraph | undefined;

  /** Plans it on a device. */
  constructor(device: Device, test: AttentionCase) {
    const { qoLens, kvLens, numQoHeads, numKvHeads, headDim, causal, windowLeft, pageSize, graphCapacity } = test;
    const { dtype = "bf16", kvDtype = dtype } = test;
    const use = <T extends Disposable>(value: T): T => this.#stack.use(value);
    const numTokens = qoLens.reduce((a, b) => a + b, 0);
    const size = pageSize === 0 ? 1024 : pageSize;
    const pages = scatteredPages(kvLens, size, pageSize !== 0);
    const numPages = pages.indices.length;
    const capacity = graphCapacity === undefined ? undefined : {
      maxTokens: Math.max(numTokens, graphCapacity),
      maxRequests: graphCapacity,
      maxPages: 64 * graphCapacity,
      maxQoLen: Math.max(...qoLens),
    };
    this.#attention = use(
      new BatchAttention(device, {
        numQoHeads,
        numKvHeads,
        headDim,
        dtype: "bf16",
        kvDtype,
        qDtype: dtype,
        causal,
        windowLeft,
        capacity,
      }),
    );
    this.#q = use(randomTensor(device, [numTokens, numQoHeads, headDim], dtype, 1));
    this.#k = use(randomTensor(device, [numPages, size, numKvHeads, headDim], kvDtype, 2));
    this.#v = use(randomTensor(device, [numPages, size, numKvHeads, headDim], kvDtype, 3));
    this.#out = use(device.tensor([numTokens, numQoHeads, headDim], "bf16"));
    const qoIndptr = [0];
    for (const qoLen of qoLens) qoIndptr.push(qoIndptr[qoIndptr.length - 1] + qoLen);
    this.#attention.plan({ qoIndptr, pages });
    if (capacity !== undefined) this.#graph = use(capture(device.stream, () => this.#enqueue()));
  }

  /** Of the batch. */
  get plan(): Plan {
    return this.#attention.currentPlan!;
  }

  /** Enqueues it: a call, or the graph's replay. */
  run(): void {
    if (this.#graph !== undefined) this.#graph.launch();
    else this.#enqueue();
  }

  #enqueue(): void {
    this.#attention.run({ q: this.#q, cache: { k: this.#k, v: this.#v }, out: this.#out });
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/** Pages of all requests, in an order that no cache line prefetch profits from; or in order. */
function scatteredPages(kvLens: readonly number[], pageSize: number, scatter: boolean): PageTable {
  const counts = kvLens.map((kvLen) => Math.ceil(kvLen / pageSize));
  const total = counts.reduce((a, b) => a + b, 0);
  // A multiplier prime to the number of pages makes a permutation.
  let step = scatter ? Math.floor(total * 0.618) | 1 : 1;
  const gcd = (a: number, b: number): number => b === 0 ? a : gcd(b, a % b);
  while (gcd(step, total) !== 1) step += 2;
  let next = 0;
  return pageTableFromLists(
    counts.map((count) => Int32Array.from({ length: count }, () => next++ * step % total)),
    kvLens,
    pageSize,
  );
}
