/** Generates for several prompts at once: all prompts first, then one token of each sequence a step. */
import {
  argmax,
  type BatchAttention,
  InvalidArgumentError,
  type PagedKvCache,
  sample,
  type SamplingParams,
  type Sequence,
  type Tensor,
} from "../../mod.ts";
import type { LlamaModel } from "./llama.ts";

/** What to generate. */
export interface GenerateOptions {
  /** Tokens of each prompt; none empty. */
  prompts: readonly (readonly number[])[];
  /** Most tokens to generate for each. */
  maxTokens: number;
  /** Tokens that end a sequence. */
  stopIds?: ReadonlySet<number>;
  /** How to choose a token; the most probable one by default. Sequence i draws with seed + i. */
  sampling?: Omit<SamplingParams, "step">;
  /** Is told each token as it comes. */
  onToken?: (sequence: number, id: number) => void;
  /** Is told when a sequence has ended. */
  onEnd?: (sequence: number) => void;
}

/** What came out, and how long it took. */
export interface Generated {
  /** Tokens of each sequence, the stop token not included. */
  readonly tokens: readonly (readonly number[])[];
  /** Prompt tokens. */
  readonly prefillTokens: number;
  /** From the first prompt token to the first generated one of all sequences. */
  readonly prefillSeconds: number;
  /** Tokens that were generated after the first of each sequence. */
  readonly decodeTokens: number;
  readonly decodeSeconds: number;
}

const PAGE_SIZE = 16;

/** A sequence under way. */
interface Running {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly cached: Sequence;
  readonly tokens: number[];
  /** The last token, also if it is a stop token. */
  last: number;
  ended: boolean;
}

/** Runs until every sequence met a stop token or has `maxTokens`. */
export async function generate(model: LlamaModel, options: GenerateOptions): Promise<Generated> {
  const { prompts, maxTokens } = options;
  for (const [name, value] of [["maxTokens", maxTokens], ["the number of prompts", prompts.length]] as const) {
    if (!Number.isInteger(value) || value < 1) {
      throw new InvalidArgumentError(`Cannot generate: ${name} is ${value}. Pass an integer >= 1.`);
    }
  }
  prompts.forEach((prompt, i) => {
    const longest = model.config.contextLength - maxTokens;
    if (prompt.length < 1 || prompt.length > longest) {
      throw new InvalidArgumentError(
        `Cannot generate: prompt ${i} has ${prompt.length} tokens. With ${maxTokens} more the model takes 1 to ${longest}.`,
      );
    }
  });
  const numPages = prompts.reduce((sum, { length }) => sum + Math.ceil((length + maxTokens) / PAGE_SIZE), 0);
  using cache = model.createCache(numPages, PAGE_SIZE);
  using attention = model.createAttention();
  using generation = new Generation(model, cache, attention, options);
  const start = performance.now();
  await generation.prefill();
  const middle = performance.now();
  await generation.decode();
  const end = performance.now();
  const tokens = generation.sequences.map((sequence) => sequence.tokens);
  return {
    tokens,
    prefillTokens: prompts.reduce((sum, { length }) => sum + length, 0),
    prefillSeconds: (middle - start) / 1000,
    decodeTokens: generation.numDecoded,
    decodeSeconds: (end - middle) / 1000,
  };
}

class Generation implements Disposable {
  readonly sequences: Running[];
  /** Tokens read back after the first of each sequence. */
  numDecoded = 0;
  readonly #model: LlamaModel;
  readonly #cache: PagedKvCache;
  readonly #attention: BatchAttention;
  readonly #options: GenerateOptions;
  /** i32: tokens of a prefill step. */
  readonly #promptIds: Tensor;
  /** i32: the prefill step's rows whose logits are wanted. */
  readonly #rows: Tensor;
  /** i32: the newest token of each sequence, chosen by one step and read by the next. */
  readonly #newest: Tensor;

  constructor(model: LlamaModel, cache: PagedKvCache, attention: BatchAttention, options: GenerateOptions) {
    const { device, maxTokens } = model;
    const { prompts } = options;
    this.#model = model;
    this.#cache = cache;
    this.#attention = attention;
    this.#options = options;
    this.sequences = prompts.map((prompt, index) => (
      { index, prompt, cached: cache.createSequence(), tokens: [], last: -1, ended: false }
    ));
    this.#promptIds = device.tensor([maxTokens], "i32");
    this.#rows = device.tensor([prompts.length], "i32");
    this.#newest = device.tensor([prompts.length], "i32");
  }

  /** Feeds the prompts in order, as many tokens a step as the model takes, and chooses the first token of each. */
  async prefill(): Promise<void> {
    const { sequences } = this;
    let numDone = 0;
    while (numDone < sequences.length) {
      const ids: number[] = [];
      const fed: Running[] = [];
      const counts: number[] = [];
      const lastRows: number[] = [];
      for (let i = numDone; i < sequences.length && ids.length < this.#model.maxTokens; i++) {
        const { prompt, cached } = sequences[i];
        const begin = cached.length;
        const end = Math.min(prompt.length, begin + this.#model.maxTokens - ids.length);
        for (let t = begin; t < end; t++) ids.push(prompt[t]);
        fed.push(sequences[i]);
        counts.push(end - begin);
        if (end === prompt.length) lastRows.push(ids.length - 1);
      }
      const idTensor = this.#promptIds.slice(0, ids.length);
      const rows = this.#rows.slice(0, lastRows.length);
      idTensor.write(ids);
      rows.write(lastRows);
      const logits = this.#step(fed, counts, idTensor, rows);
      const done = fed.slice(0, lastRows.length);
      this.#choose(done, logits, this.#newest.slice(numDone, numDone + done.length));
      numDone += done.length;
    }
    this.#accept(sequences, await this.#newest.read());
  }

  /** One token of each sequence a step, until all have ended. */
  async decode(): Promise<void> {
    const { maxTokens } = this.#options;
    let rows = this.sequences;
    let reading: Promise<ArrayLike<number>> | undefined;
    while (true) {
      if (reading === undefined || rows.some(({ ended }) => ended)) {
        // Some ended: read what is still under way, then close the gaps.
        if (reading !== undefined) this.#accept(rows, await reading);
        for (const { cached, ended } of rows) if (ended) cached.free();
        rows = rows.filter(({ ended }) => !ended);
        if (rows.length === 0) return;
        this.#newest.slice(0, rows.length).write(rows.map(({ last }) => last));
        reading = this.#decodeStep(rows);
        continue;
      }
      // The next step needs no token on the host. So it is enqueued first, and the device works while the host reads and prints.
      const isLast = rows.every(({ tokens }) => tokens.length + 1 >= maxTokens);
      const ahead: Promise<ArrayLike<number>> | undefined = isLast ? undefined : this.#decodeStep(rows);
      this.#accept(rows, await reading);
      reading = ahead;
    }
  }

  #decodeStep(rows: readonly Running[]): Promise<ArrayLike<number>> {
    const newest = this.#newest.slice(0, rows.length);
    const logits = this.#step(rows, rows.map(() => 1), newest);
    this.#choose(rows, logits, newest);
    const reading = newest.read();
    reading.catch(() => {}); // Whoever awaits it gets the error; until then it is not unhandled.
    return reading;
  }

  #step(rows: readonly Running[], counts: readonly number[], ids: Tensor, logitRows?: Tensor): Tensor {
    const cached = rows.map((row) => row.cached);
    const slots = this.#cache.extend(cached, counts);
    this.#attention.plan({ qoIndptr: slots.qoIndptr, pages: this.#cache.pageTable(cached) });
    return this.#model.step({ ids, slots, cache: this.#cache, attention: this.#attention, rows: logitRows });
  }

  /** Chooses the next token of each row on the device. */
  #choose(rows: readonly Running[], logits: Tensor, out: Tensor): void {
    if (rows.length === 0) return;
    const { temperature = 0, seed = 0, ...rest } = this.#options.sampling ?? {};
    if (temperature === 0) {
      argmax({ logits, out });
      return;
    }
    const params = rows.map(({ index, cached }) => ({ ...rest, temperature, seed: seed + index, step: cached.length }));
    sample({ logits, params, out });
  }

  /** Takes the tokens that came back; those of ended sequences were computed ahead in vain. */
  #accept(rows: readonly Running[], ids: ArrayLike<number>): void {
    const { maxTokens, stopIds, onToken, onEnd } = this.#options;
    rows.forEach((row, i) => {
      if (row.ended) return;
      row.last = ids[i];
      if (row.tokens.length > 0) this.numDecoded++;
      const isStop = stopIds?.has(row.last) ?? false;
      if (!isStop) {
        row.tokens.push(row.last);
        onToken?.(row.index, row.last);
      }
      row.ended = isStop || row.tokens.length >= maxTokens;
      if (row.ended) onEnd?.(row.index);
    });
  }

  [Symbol.dispose](): void {
    this.#promptIds.dispose();
    this.#rows.dispose();
    this.#newest.dispose();
  }
}
