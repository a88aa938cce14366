// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.

/** `enum fp_status_code` */
export const StatusCode = {
  OK: 0,
  INVALID_ARGUMENT: 1,
  INVALID_HANDLE: 2,
  OUT_OF_MEMORY: 3,
  NOT_SUPPORTED: 4,
  UNAVAILABLE: 5,
  DEVICE_ERROR: 6,
  INTERNAL: 7,
  NOT_READY: 8,
} as const;

/** `enum fp_device_kind` */
export const DeviceKind = {
  CPU: 0,
  CUDA: 1,
} as const;

/** `enum fp_dtype` */
export const Dtype = {
  F32: 0,
  F16: 1,
  BF16: 2,
  I32: 3,
  U8: 4,
  E4M3: 5,
  E5M2: 6,
} as const;

/** `enum fp_tile_class` */
export const TileClass = {
  DECODE: 0,
  PREFILL: 1,
} as const;

/** `enum fp_plan_status` */
export const PlanStatus = {
  GOOD: 0,
  QO_INDPTR: 1,
  QO_LEN: 2,
  NUM_TOKENS: 3,
  PAGE_INDPTR: 4,
  NUM_PAGES: 5,
  LAST_PAGE_LEN: 6,
  KV_LEN: 7,
  CAPACITY: 8,
} as const;

/** `struct fp_device_info` in 4-byte words: its length, and where each field is. */
export const DEVICE_INFO = {
  words: 12,
  kind: 0,
  ordinal: 1,
  numProcessors: 2,
  computeCapability: 3,
  driverVersion: 4,
  sharedMemoryBytes: 5,
  totalMemoryBytes: 6,
  freeMemoryBytes: 8,
  l2CacheBytes: 10,
} as const;

/** `struct fp_device_info`: pass `bytes` to the library. */
export class DeviceInfo {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32 */
  get kind(): number {
    return this.#i32[0];
  }
  set kind(value: number) {
    this.#i32[0] = value;
  }

  /** i32 */
  get ordinal(): number {
    return this.#i32[1];
  }
  set ordinal(value: number) {
    this.#i32[1] = value;
  }

  /** i32: SMs, or worker threads */
  get numProcessors(): number {
    return this.#i32[2];
  }
  set numProcessors(value: number) {
    this.#i32[2] = value;
  }

  /** i32: 90 for sm_90; on the CPU 1 scalar, 2 AVX2, 3 AVX-512, 4 AMX, 10 NEON */
  get computeCapability(): number {
    return this.#i32[3];
  }
  set computeCapability(value: number) {
    this.#i32[3] = value;
  }

  /** i32: as cuDriverGetVersion; 0 on the CPU */
  get driverVersion(): number {
    return this.#i32[4];
  }
  set driverVersion(value: number) {
    this.#i32[4] = value;
  }

  /** i32: the most one CTA may use */
  get sharedMemoryBytes(): number {
    return this.#i32[5];
  }
  set sharedMemoryBytes(value: number) {
    this.#i32[5] = value;
  }

  /** f64 */
  get totalMemoryBytes(): number {
    return this.#f64[3];
  }
  set totalMemoryBytes(value: number) {
    this.#f64[3] = value;
  }

  /** f64 */
  get freeMemoryBytes(): number {
    return this.#f64[4];
  }
  set freeMemoryBytes(value: number) {
    this.#f64[4] = value;
  }

  /** f64 */
  get l2CacheBytes(): number {
    return this.#f64[5];
  }
  set l2CacheBytes(value: number) {
    this.#f64[5] = value;
  }
}

/** `struct fp_memory_usage` in 4-byte words: its length, and where each field is. */
export const MEMORY_USAGE = {
  words: 8,
  allocatedBytes: 0,
  peakBytes: 2,
  numAllocations: 4,
  pendingBytes: 6,
} as const;

/** `struct fp_memory_usage`: pass `bytes` to the library. */
export class MemoryUsage {
  /** Bytes of the struct. */
  static readonly byteLength = 32;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;

  constructor() {
    const buffer = new ArrayBuffer(32);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  /** f64: live, by fp_memory_alloc */
  get allocatedBytes(): number {
    return this.#f64[0];
  }
  set allocatedBytes(value: number) {
    this.#f64[0] = value;
  }

  /** f64 */
  get peakBytes(): number {
    return this.#f64[1];
  }
  set peakBytes(value: number) {
    this.#f64[1] = value;
  }

  /** f64 */
  get numAllocations(): number {
    return this.#f64[2];
  }
  set numAllocations(value: number) {
    this.#f64[2] = value;
  }

  /** f64: freed, but still read by work enqueued earlier or held by a graph */
  get pendingBytes(): number {
    return this.#f64[3];
  }
  set pendingBytes(value: number) {
    this.#f64[3] = value;
  }
}

/** `struct fp_plan_header` in 4-byte words: its length, and where each field is. */
export const PLAN_HEADER = {
  words: 16,
  numTiles: 0,
  numWorkItems: 1,
  numCtas: 2,
  numMerges: 3,
  numPartialRows: 4,
  numPartials: 5,
  numRowEntries: 6,
  numQueuedPieces: 7,
  numQueuedItems: 8,
  queueNext: 9,
  status: 10,
  statusRequest: 11,
  numPrefillCtas: 12,
  startGate: 13,
  reserved0: 14,
  reserved1: 15,
} as const;

/** `struct fp_plan_header`: pass `bytes` to the library. */
export class PlanHeader {
  /** Bytes of the struct. */
  static readonly byteLength = 64;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(64);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32 */
  get numTiles(): number {
    return this.#i32[0];
  }
  set numTiles(value: number) {
    this.#i32[0] = value;
  }

  /** i32 */
  get numWorkItems(): number {
    return this.#i32[1];
  }
  set numWorkItems(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numCtas(): number {
    return this.#i32[2];
  }
  set numCtas(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get numMerges(): number {
    return this.#i32[3];
  }
  set numMerges(value: number) {
    this.#i32[3] = value;
  }

  /** i32: workspace rows this plan uses */
  get numPartialRows(): number {
    return this.#i32[4];
  }
  set numPartialRows(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get numPartials(): number {
    return this.#i32[5];
  }
  set numPartials(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get numRowEntries(): number {
    return this.#i32[6];
  }
  set numRowEntries(value: number) {
    this.#i32[6] = value;
  }

  /** i32: see above: the queue is the last num_queued_pieces + num_queued_items work items */
  get numQueuedPieces(): number {
    return this.#i32[7];
  }
  set numQueuedPieces(value: number) {
    this.#i32[7] = value;
  }

  /** i32 */
  get numQueuedItems(): number {
    return this.#i32[8];
  }
  set numQueuedItems(value: number) {
    this.#i32[8] = value;
  }

  /** i32: units drawn so far: 0 in a plan, counted up by a run, and 0 again at its end */
  get queueNext(): number {
    return this.#i32[9];
  }
  set queueNext(value: number) {
    this.#i32[9] = value;
  }

  /** i32: fp_plan_status; not FP_PLAN_GOOD only by fp_plan_decode, and the plan then does nothing */
  get status(): number {
    return this.#i32[10];
  }
  set status(value: number) {
    this.#i32[10] = value;
  }

  /** i32: the request that status is about */
  get statusRequest(): number {
    return this.#i32[11];
  }
  set statusRequest(value: number) {
    this.#i32[11] = value;
  }

  /** i32: CTAs that draw from the queue, those of the lowest indices; 0 if the queue is empty */
  get numPrefillCtas(): number {
    return this.#i32[12];
  }
  set numPrefillCtas(value: number) {
    this.#i32[12] = value;
  }

  /** i32: 0; written by a run whose splits_sms is 1, read by nobody */
  get startGate(): number {
    return this.#i32[13];
  }
  set startGate(value: number) {
    this.#i32[13] = value;
  }

  /** i32 */
  get reserved0(): number {
    return this.#i32[14];
  }
  set reserved0(value: number) {
    this.#i32[14] = value;
  }

  /** i32 */
  get reserved1(): number {
    return this.#i32[15];
  }
  set reserved1(value: number) {
    this.#i32[15] = value;
  }
}

/** `struct fp_row_tile` in 4-byte words: its length, and where each field is. */
export const ROW_TILE = {
  words: 12,
  tileClass: 0,
  tokenBegin: 1,
  numTokens: 2,
  gathered: 3,
  qoPosBegin: 4,
  pageBegin: 5,
  kvPosBegin: 6,
  kvLen: 7,
  maskByteBegin: 8,
  maskStrideBits: 9,
  maskRowBegin: 10,
  reserved: 11,
} as const;

/** `struct fp_row_tile`: pass `bytes` to the library. */
export class RowTile {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32: fp_tile_class */
  get tileClass(): number {
    return this.#i32[0];
  }
  set tileClass(value: number) {
    this.#i32[0] = value;
  }

  /** i32: first row of q; if gathered, first index into rows */
  get tokenBegin(): number {
    return this.#i32[1];
  }
  set tokenBegin(value: number) {
    this.#i32[1] = value;
  }

  /** i32: num_tokens * group <= rows of the class */
  get numTokens(): number {
    return this.#i32[2];
  }
  set numTokens(value: number) {
    this.#i32[2] = value;
  }

  /** i32: 1: tokens and positions come from rows */
  get gathered(): number {
    return this.#i32[3];
  }
  set gathered(value: number) {
    this.#i32[3] = value;
  }

  /** i32: logical position of the first token; the next token's is one higher (unused if gathered) */
  get qoPosBegin(): number {
    return this.#i32[4];
  }
  set qoPosBegin(value: number) {
    this.#i32[4] = value;
  }

  /** i32: index into kv_indices of the page that holds KV token 0 of the list */
  get pageBegin(): number {
    return this.#i32[5];
  }
  set pageBegin(value: number) {
    this.#i32[5] = value;
  }

  /** i32: logical position of KV token 0 of the list (the length of the prefix levels before it) */
  get kvPosBegin(): number {
    return this.#i32[6];
  }
  set kvPosBegin(value: number) {
    this.#i32[6] = value;
  }

  /** i32: KV tokens in the list */
  get kvLen(): number {
    return this.#i32[7];
  }
  set kvLen(value: number) {
    this.#i32[7] = value;
  }

  /** i32: first byte of the request's packed mask; -1: none */
  get maskByteBegin(): number {
    return this.#i32[8];
  }
  set maskByteBegin(value: number) {
    this.#i32[8] = value;
  }

  /** i32: columns of that mask; bit = (mask_row_begin + token) * stride + kv_pos */
  get maskStrideBits(): number {
    return this.#i32[9];
  }
  set maskStrideBits(value: number) {
    this.#i32[9] = value;
  }

  /** i32 */
  get maskRowBegin(): number {
    return this.#i32[10];
  }
  set maskRowBegin(value: number) {
    this.#i32[10] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[11];
  }
  set reserved(value: number) {
    this.#i32[11] = value;
  }
}

/** `struct fp_work_item` in 4-byte words: its length, and where each field is. */
export const WORK_ITEM = {
  words: 8,
  tile: 0,
  kvHeadBegin: 1,
  numKvHeads: 2,
  kvBegin: 3,
  kvEnd: 4,
  partialRow: 5,
  needsMask: 6,
  merge: 7,
} as const;

/** `struct fp_work_item`: pass `bytes` to the library. */
export class WorkItem {
  /** Bytes of the struct. */
  static readonly byteLength = 32;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(32);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32 */
  get tile(): number {
    return this.#i32[0];
  }
  set tile(value: number) {
    this.#i32[0] = value;
  }

  /** i32 */
  get kvHeadBegin(): number {
    return this.#i32[1];
  }
  set kvHeadBegin(value: number) {
    this.#i32[1] = value;
  }

  /** i32: walked one after another */
  get numKvHeads(): number {
    return this.#i32[2];
  }
  set numKvHeads(value: number) {
    this.#i32[2] = value;
  }

  /** i32: range of KV tokens of the list; may be empty */
  get kvBegin(): number {
    return this.#i32[3];
  }
  set kvBegin(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get kvEnd(): number {
    return this.#i32[4];
  }
  set kvEnd(value: number) {
    this.#i32[4] = value;
  }

  /** i32: -1: the result is final. Else the first workspace row; the next KV head's rows follow at once */
  get partialRow(): number {
    return this.#i32[5];
  }
  set partialRow(value: number) {
    this.#i32[5] = value;
  }

  /** i32: 0: every (row, token) pair of the range is visible, so no mask code need run */
  get needsMask(): number {
    return this.#i32[6];
  }
  set needsMask(value: number) {
    this.#i32[6] = value;
  }

  /** i32: of a piece whose merge is in_kernel: that merge; else -1 */
  get merge(): number {
    return this.#i32[7];
  }
  set merge(value: number) {
    this.#i32[7] = value;
  }
}

/** `struct fp_merge_item` in 4-byte words: its length, and where each field is. */
export const MERGE_ITEM = {
  words: 8,
  tokenBegin: 0,
  numTokens: 1,
  kvHead: 2,
  partialsBegin: 3,
  numPartials: 4,
  inKernel: 5,
  arrivals: 6,
  reserved: 7,
} as const;

/** `struct fp_merge_item`: pass `bytes` to the library. */
export class MergeItem {
  /** Bytes of the struct. */
  static readonly byteLength = 32;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(32);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32 */
  get tokenBegin(): number {
    return this.#i32[0];
  }
  set tokenBegin(value: number) {
    this.#i32[0] = value;
  }

  /** i32 */
  get numTokens(): number {
    return this.#i32[1];
  }
  set numTokens(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get kvHead(): number {
    return this.#i32[2];
  }
  set kvHead(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get partialsBegin(): number {
    return this.#i32[3];
  }
  set partialsBegin(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get numPartials(): number {
    return this.#i32[4];
  }
  set numPartials(value: number) {
    this.#i32[4] = value;
  }

  /** i32: 1: on a GPU, the CTA that is the last to finish one of its num_partials pieces merges; 0: a launch of its own does */
  get inKernel(): number {
    return this.#i32[5];
  }
  set inKernel(value: number) {
    this.#i32[5] = value;
  }

  /** i32: pieces that are done: 0 in a plan, counted up by a run, and 0 again at its end */
  get arrivals(): number {
    return this.#i32[6];
  }
  set arrivals(value: number) {
    this.#i32[6] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[7];
  }
  set reserved(value: number) {
    this.#i32[7] = value;
  }
}

/** `struct fp_cta_start` in 4-byte words: its length, and where each field is. */
export const CTA_START = {
  words: 12,
  tokenBegin: 0,
  numTokens: 1,
  qoPosBegin: 2,
  pageBegin: 3,
  page0: 4,
  page1: 5,
  page2: 6,
  page3: 7,
  page4: 8,
  page5: 9,
  page6: 10,
  page7: 11,
} as const;

/** `struct fp_cta_start`: pass `bytes` to the library. */
export class CtaStart {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32: of the tile */
  get tokenBegin(): number {
    return this.#i32[0];
  }
  set tokenBegin(value: number) {
    this.#i32[0] = value;
  }

  /** i32: of the tile; 0: the plan does not say, and neither does the rest */
  get numTokens(): number {
    return this.#i32[1];
  }
  set numTokens(value: number) {
    this.#i32[1] = value;
  }

  /** i32: of the tile */
  get qoPosBegin(): number {
    return this.#i32[2];
  }
  set qoPosBegin(value: number) {
    this.#i32[2] = value;
  }

  /** i32: of the tile */
  get pageBegin(): number {
    return this.#i32[3];
  }
  set pageBegin(value: number) {
    this.#i32[3] = value;
  }

  /** i32: ids of the pages of the list, from the one that holds kv_begin on; behind the item's last page, that */
  get page0(): number {
    return this.#i32[4];
  }
  set page0(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get page1(): number {
    return this.#i32[5];
  }
  set page1(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get page2(): number {
    return this.#i32[6];
  }
  set page2(value: number) {
    this.#i32[6] = value;
  }

  /** i32 */
  get page3(): number {
    return this.#i32[7];
  }
  set page3(value: number) {
    this.#i32[7] = value;
  }

  /** i32 */
  get page4(): number {
    return this.#i32[8];
  }
  set page4(value: number) {
    this.#i32[8] = value;
  }

  /** i32 */
  get page5(): number {
    return this.#i32[9];
  }
  set page5(value: number) {
    this.#i32[9] = value;
  }

  /** i32 */
  get page6(): number {
    return this.#i32[10];
  }
  set page6(value: number) {
    this.#i32[10] = value;
  }

  /** i32 */
  get page7(): number {
    return this.#i32[11];
  }
  set page7(value: number) {
    this.#i32[11] = value;
  }
}

/** `struct fp_row_entry` in 4-byte words: its length, and where each field is. */
export const ROW_ENTRY = {
  words: 2,
  token: 0,
  qoPos: 1,
} as const;

/** `struct fp_row_entry`: pass `bytes` to the library. */
export class RowEntry {
  /** Bytes of the struct. */
  static readonly byteLength = 8;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(8);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
  }

  /** i32: row of q */
  get token(): number {
    return this.#i32[0];
  }
  set token(value: number) {
    this.#i32[0] = value;
  }

  /** i32: its logical position */
  get qoPos(): number {
    return this.#i32[1];
  }
  set qoPos(value: number) {
    this.#i32[1] = value;
  }
}

/** `struct fp_trace_header` in 4-byte words: its length, and where each field is. */
export const TRACE_HEADER = {
  words: 4,
  numRecords: 0,
  numDropped: 1,
  reserved0: 2,
  reserved1: 3,
} as const;

/** `struct fp_trace_header`: pass `bytes` to the library. */
export class TraceHeader {
  /** Bytes of the struct. */
  static readonly byteLength = 16;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(16);
    this.bytes = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
  }

  /** u32: written since it was last set to 0 */
  get numRecords(): number {
    return this.#u32[0];
  }
  set numRecords(value: number) {
    this.#u32[0] = value;
  }

  /** u32: for which there was no room */
  get numDropped(): number {
    return this.#u32[1];
  }
  set numDropped(value: number) {
    this.#u32[1] = value;
  }

  /** u32 */
  get reserved0(): number {
    return this.#u32[2];
  }
  set reserved0(value: number) {
    this.#u32[2] = value;
  }

  /** u32 */
  get reserved1(): number {
    return this.#u32[3];
  }
  set reserved1(value: number) {
    this.#u32[3] = value;
  }
}

/** `struct fp_trace_record` in 4-byte words: its length, and where each field is. */
export const TRACE_RECORD = {
  words: 8,
  workItem: 0,
  kvHeads: 1,
  processor: 2,
  cta: 3,
  beginLow: 4,
  beginHigh: 5,
  endLow: 6,
  endHigh: 7,
} as const;

/** `struct fp_trace_record`: pass `bytes` to the library. */
export class TraceRecord {
  /** Bytes of the struct. */
  static readonly byteLength = 32;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(32);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
  }

  /** i32 */
  get workItem(): number {
    return this.#i32[0];
  }
  set workItem(value: number) {
    this.#i32[0] = value;
  }

  /** u32: the first of them in the low 16 bits, their number in the high ones */
  get kvHeads(): number {
    return this.#u32[1];
  }
  set kvHeads(value: number) {
    this.#u32[1] = value;
  }

  /** u32: SM; worker thread on the CPU */
  get processor(): number {
    return this.#u32[2];
  }
  set processor(value: number) {
    this.#u32[2] = value;
  }

  /** u32: of its launch: that of shares, or that which draws from the queue */
  get cta(): number {
    return this.#u32[3];
  }
  set cta(value: number) {
    this.#u32[3] = value;
  }

  /** u32: nanoseconds of the device's clock, 64 bits */
  get beginLow(): number {
    return this.#u32[4];
  }
  set beginLow(value: number) {
    this.#u32[4] = value;
  }

  /** u32 */
  get beginHigh(): number {
    return this.#u32[5];
  }
  set beginHigh(value: number) {
    this.#u32[5] = value;
  }

  /** u32 */
  get endLow(): number {
    return this.#u32[6];
  }
  set endLow(value: number) {
    this.#u32[6] = value;
  }

  /** u32 */
  get endHigh(): number {
    return this.#u32[7];
  }
  set endHigh(value: number) {
    this.#u32[7] = value;
  }
}

/** `struct fp_attention_limits` in 4-byte words: its length, and where each field is. */
export const ATTENTION_LIMITS = {
  words: 8,
  structSize: 0,
  numCtas: 1,
  decodeRows: 2,
  prefillRows: 3,
  decodeKvTile: 4,
  prefillKvTile: 5,
  prefillCtas: 6,
  readsStarts: 7,
} as const;

/** `struct fp_attention_limits`: pass `bytes` to the library. */
export class AttentionLimits {
  /** Bytes of the struct. */
  static readonly byteLength = 32;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(32);
    this.bytes = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 32;
  }

  /** i32: CTAs that run at once */
  get numCtas(): number {
    return this.#i32[1];
  }
  set numCtas(value: number) {
    this.#i32[1] = value;
  }

  /** i32: rows of FP_TILE_DECODE */
  get decodeRows(): number {
    return this.#i32[2];
  }
  set decodeRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32: rows of FP_TILE_PREFILL */
  get prefillRows(): number {
    return this.#i32[3];
  }
  set prefillRows(value: number) {
    this.#i32[3] = value;
  }

  /** i32: KV tokens per step: cut points of splits are multiples of it */
  get decodeKvTile(): number {
    return this.#i32[4];
  }
  set decodeKvTile(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get prefillKvTile(): number {
    return this.#i32[5];
  }
  set prefillKvTile(value: number) {
    this.#i32[5] = value;
  }

  /** i32: CTAs that draw prefill tiles from the queue; 0: prefill tiles belong into the shares */
  get prefillCtas(): number {
    return this.#i32[6];
  }
  set prefillCtas(value: number) {
    this.#i32[6] = value;
  }

  /** i32: 1: a kernel for decode tiles looks at fp_cta_start; 0: a plan need have none */
  get readsStarts(): number {
    return this.#i32[7];
  }
  set readsStarts(value: number) {
    this.#i32[7] = value;
  }
}

/** `struct fp_attention_args` in 4-byte words: its length, and where each field is. */
export const ATTENTION_ARGS = {
  words: 92,
  structSize: 0,
  qDtype: 1,
  dtype: 2,
  kvDtype: 3,
  numTokens: 4,
  numQoHeads: 5,
  numKvHeads: 6,
  headDimQk: 7,
  headDimVo: 8,
  pageSize: 9,
  numPages: 10,
  numKvIndices: 11,
  causal: 12,
  windowLeft: 13,
  windowRight: 14,
  smScale: 15,
  logitsSoftCap: 16,
  qScale: 17,
  kScale: 18,
  vScale: 19,
  numCtas: 20,
  maxTiles: 21,
  maxWorkItems: 22,
  maxMerges: 23,
  maxPartials: 24,
  maxRowEntries: 25,
  maxPartialRows: 26,
  tilesOffset: 27,
  workOffset: 28,
  ctaBeginOffset: 29,
  mergesOffset: 30,
  partialsOffset: 31,
  rowsOffset: 32,
  tileClasses: 33,
  launchesMerges: 34,
  splitsSms: 35,
  traceCapacity: 36,
  batchInvariant: 37,
  startsOffset: 38,
  q: 40,
  qTokenStride: 42,
  qHeadStride: 44,
  k: 46,
  kPageStride: 48,
  kTokenStride: 50,
  kHeadStride: 52,
  v: 54,
  vPageStride: 56,
  vTokenStride: 58,
  vHeadStride: 60,
  qHeadScales: 62,
  kHeadScales: 64,
  vHeadScales: 66,
  out: 68,
  outTokenStride: 70,
  outHeadStride: 72,
  lse: 74,
  kvIndices: 76,
  customMask: 78,
  customMaskBytes: 80,
  plan: 82,
  planBytes: 84,
  workspace: 86,
  workspaceBytes: 88,
  trace: 90,
} as const;

/** `struct fp_attention_args`: pass `bytes` to the library. */
export class AttentionArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 368;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(368);
    this.bytes = new Uint8Array(buffer);
    this.#f32 = new Float32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 368;
  }

  /** i32: of q: dtype, or FP_E4M3 beside keys and values of FP_E4M3 */
  get qDtype(): number {
    return this.#i32[1];
  }
  set qDtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32: of out: FP_BF16, FP_F16; FP_F32 on the CPU */
  get dtype(): number {
    return this.#i32[2];
  }
  set dtype(value: number) {
    this.#i32[2] = value;
  }

  /** i32: of k and v: dtype, FP_E4M3 or FP_E5M2; with those, on CUDA, head dims of 64, 128, 192 and 256 */
  get kvDtype(): number {
    return this.#i32[3];
  }
  set kvDtype(value: number) {
    this.#i32[3] = value;
  }

  /** i32: rows of q */
  get numTokens(): number {
    return this.#i32[4];
  }
  set numTokens(value: number) {
    this.#i32[4] = value;
  }

  /** i32: a multiple of num_kv_heads; group 1..64 */
  get numQoHeads(): number {
    return this.#i32[5];
  }
  set numQoHeads(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get numKvHeads(): number {
    return this.#i32[6];
  }
  set numKvHeads(value: number) {
    this.#i32[6] = value;
  }

  /** i32: 64, 96, 128, 192, 256 */
  get headDimQk(): number {
    return this.#i32[7];
  }
  set headDimQk(value: number) {
    this.#i32[7] = value;
  }

  /** i32 */
  get headDimVo(): number {
    return this.#i32[8];
  }
  set headDimVo(value: number) {
    this.#i32[8] = value;
  }

  /** i32: 1..1024 KV tokens */
  get pageSize(): number {
    return this.#i32[9];
  }
  set pageSize(value: number) {
    this.#i32[9] = value;
  }

  /** i32: pages in k and v */
  get numPages(): number {
    return this.#i32[10];
  }
  set numPages(value: number) {
    this.#i32[10] = value;
  }

  /** i32 */
  get numKvIndices(): number {
    return this.#i32[11];
  }
  set numKvIndices(value: number) {
    this.#i32[11] = value;
  }

  /** i32: 1: kv_pos <= qo_pos */
  get causal(): number {
    return this.#i32[12];
  }
  set causal(value: number) {
    this.#i32[12] = value;
  }

  /** i32: kv_pos >= qo_pos - window_left; -1: unlimited */
  get windowLeft(): number {
    return this.#i32[13];
  }
  set windowLeft(value: number) {
    this.#i32[13] = value;
  }

  /** i32: kv_pos <= qo_pos + window_right; -1: unlimited */
  get windowRight(): number {
    return this.#i32[14];
  }
  set windowRight(value: number) {
    this.#i32[14] = value;
  }

  /** f32: score = sm_scale * (q . k) */
  get smScale(): number {
    return this.#f32[15];
  }
  set smScale(value: number) {
    this.#f32[15] = value;
  }

  /** f32: > 0: score = cap * tanh(score / cap), before the mask */
  get logitsSoftCap(): number {
    return this.#f32[16];
  }
  set logitsSoftCap(value: number) {
    this.#f32[16] = value;
  }

  /** f32: an FP8 query is its element * q_scale * q_head_scales[head]; 1 if q is not FP8 */
  get qScale(): number {
    return this.#f32[17];
  }
  set qScale(value: number) {
    this.#f32[17] = value;
  }

  /** f32: an FP8 key is its element * k_scale * k_head_scales[head]; 1 if k is not FP8 */
  get kScale(): number {
    return this.#f32[18];
  }
  set kScale(value: number) {
    this.#f32[18] = value;
  }

  /** f32: the same of values */
  get vScale(): number {
    return this.#f32[19];
  }
  set vScale(value: number) {
    this.#f32[19] = value;
  }

  /** i32 */
  get numCtas(): number {
    return this.#i32[20];
  }
  set numCtas(value: number) {
    this.#i32[20] = value;
  }

  /** i32: capacities, for bounds checks: a section's entries, not bytes */
  get maxTiles(): number {
    return this.#i32[21];
  }
  set maxTiles(value: number) {
    this.#i32[21] = value;
  }

  /** i32 */
  get maxWorkItems(): number {
    return this.#i32[22];
  }
  set maxWorkItems(value: number) {
    this.#i32[22] = value;
  }

  /** i32 */
  get maxMerges(): number {
    return this.#i32[23];
  }
  set maxMerges(value: number) {
    this.#i32[23] = value;
  }

  /** i32 */
  get maxPartials(): number {
    return this.#i32[24];
  }
  set maxPartials(value: number) {
    this.#i32[24] = value;
  }

  /** i32 */
  get maxRowEntries(): number {
    return this.#i32[25];
  }
  set maxRowEntries(value: number) {
    this.#i32[25] = value;
  }

  /** i32 */
  get maxPartialRows(): number {
    return this.#i32[26];
  }
  set maxPartialRows(value: number) {
    this.#i32[26] = value;
  }

  /** i32: offsets into plan, in i32 units */
  get tilesOffset(): number {
    return this.#i32[27];
  }
  set tilesOffset(value: number) {
    this.#i32[27] = value;
  }

  /** i32 */
  get workOffset(): number {
    return this.#i32[28];
  }
  set workOffset(value: number) {
    this.#i32[28] = value;
  }

  /** i32 */
  get ctaBeginOffset(): number {
    return this.#i32[29];
  }
  set ctaBeginOffset(value: number) {
    this.#i32[29] = value;
  }

  /** i32 */
  get mergesOffset(): number {
    return this.#i32[30];
  }
  set mergesOffset(value: number) {
    this.#i32[30] = value;
  }

  /** i32 */
  get partialsOffset(): number {
    return this.#i32[31];
  }
  set partialsOffset(value: number) {
    this.#i32[31] = value;
  }

  /** i32 */
  get rowsOffset(): number {
    return this.#i32[32];
  }
  set rowsOffset(value: number) {
    this.#i32[32] = value;
  }

  /** i32: bit c set: the plan has tiles of class c */
  get tileClasses(): number {
    return this.#i32[33];
  }
  set tileClasses(value: number) {
    this.#i32[33] = value;
  }

  /** i32: 1: the plan has merges that are not in_kernel */
  get launchesMerges(): number {
    return this.#i32[34];
  }
  set launchesMerges(value: number) {
    this.#i32[34] = value;
  }

  /** i32: 1: shares and queue may be laid for SMs of their own each, so their kernels should run at the same time */
  get splitsSms(): number {
    return this.#i32[35];
  }
  set splitsSms(value: number) {
    this.#i32[35] = value;
  }

  /** i32: records that trace has room for; unused without one */
  get traceCapacity(): number {
    return this.#i32[36];
  }
  set traceCapacity(value: number) {
    this.#i32[36] = value;
  }

  /** i32: 1: which kernels run must not depend on the batch, since their bits may differ */
  get batchInvariant(): number {
    return this.#i32[37];
  }
  set batchInvariant(value: number) {
    this.#i32[37] = value;
  }

  /** i32: 0: the plan has no starts */
  get startsOffset(): number {
    return this.#i32[38];
  }
  set startsOffset(value: number) {
    this.#i32[38] = value;
  }

  /** f64: [num_tokens, num_qo_heads, head_dim_qk] */
  get q(): number {
    return this.#f64[20];
  }
  set q(value: number) {
    this.#f64[20] = value;
  }

  /** f64 */
  get qTokenStride(): number {
    return this.#f64[21];
  }
  set qTokenStride(value: number) {
    this.#f64[21] = value;
  }

  /** f64 */
  get qHeadStride(): number {
    return this.#f64[22];
  }
  set qHeadStride(value: number) {
    this.#f64[22] = value;
  }

  /** f64: page p, token t of the page, head h at p * page_stride + t * token_stride + h * head_stride */
  get k(): number {
    return this.#f64[23];
  }
  set k(value: number) {
    this.#f64[23] = value;
  }

  /** f64 */
  get kPageStride(): number {
    return this.#f64[24];
  }
  set kPageStride(value: number) {
    this.#f64[24] = value;
  }

  /** f64 */
  get kTokenStride(): number {
    return this.#f64[25];
  }
  set kTokenStride(value: number) {
    this.#f64[25] = value;
  }

  /** f64 */
  get kHeadStride(): number {
    return this.#f64[26];
  }
  set kHeadStride(value: number) {
    this.#f64[26] = value;
  }

  /** f64 */
  get v(): number {
    return this.#f64[27];
  }
  set v(value: number) {
    this.#f64[27] = value;
  }

  /** f64 */
  get vPageStride(): number {
    return this.#f64[28];
  }
  set vPageStride(value: number) {
    this.#f64[28] = value;
  }

  /** f64 */
  get vTokenStride(): number {
    return this.#f64[29];
  }
  set vTokenStride(value: number) {
    this.#f64[29] = value;
  }

  /** f64 */
  get vHeadStride(): number {
    return this.#f64[30];
  }
  set vHeadStride(value: number) {
    this.#f64[30] = value;
  }

  /** f64: f32 [num_qo_heads], positive; 0: all 1 */
  get qHeadScales(): number {
    return this.#f64[31];
  }
  set qHeadScales(value: number) {
    this.#f64[31] = value;
  }

  /** f64: f32 [num_kv_heads], positive; 0: all 1 */
  get kHeadScales(): number {
    return this.#f64[32];
  }
  set kHeadScales(value: number) {
    this.#f64[32] = value;
  }

  /** f64 */
  get vHeadScales(): number {
    return this.#f64[33];
  }
  set vHeadScales(value: number) {
    this.#f64[33] = value;
  }

  /** f64: [num_tokens, num_qo_heads, head_dim_vo] */
  get out(): number {
    return this.#f64[34];
  }
  set out(value: number) {
    this.#f64[34] = value;
  }

  /** f64 */
  get outTokenStride(): number {
    return this.#f64[35];
  }
  set outTokenStride(value: number) {
    this.#f64[35] = value;
  }

  /** f64 */
  get outHeadStride(): number {
    return this.#f64[36];
  }
  set outHeadStride(value: number) {
    this.#f64[36] = value;
  }

  /** f64: f32 [num_tokens, num_qo_heads], contiguous; 0: not wanted */
  get lse(): number {
    return this.#f64[37];
  }
  set lse(value: number) {
    this.#f64[37] = value;
  }

  /** f64: i32 [num_kv_indices]: page ids; every page list is a run of it */
  get kvIndices(): number {
    return this.#f64[38];
  }
  set kvIndices(value: number) {
    this.#f64[38] = value;
  }

  /** f64: u8 [custom_mask_bytes], bits little-endian; 0: none */
  get customMask(): number {
    return this.#f64[39];
  }
  set customMask(value: number) {
    this.#f64[39] = value;
  }

  /** f64 */
  get customMaskBytes(): number {
    return this.#f64[40];
  }
  set customMaskBytes(value: number) {
    this.#f64[40] = value;
  }

  /** f64: i32 [plan_bytes / 4] */
  get plan(): number {
    return this.#f64[41];
  }
  set plan(value: number) {
    this.#f64[41] = value;
  }

  /** f64 */
  get planBytes(): number {
    return this.#f64[42];
  }
  set planBytes(value: number) {
    this.#f64[42] = value;
  }

  /** f64: f32 [max_partial_rows, head_dim_vo] outputs, then f32 [max_partial_rows] LSE */
  get workspace(): number {
    return this.#f64[43];
  }
  set workspace(value: number) {
    this.#f64[43] = value;
  }

  /** f64 */
  get workspaceBytes(): number {
    return this.#f64[44];
  }
  set workspaceBytes(value: number) {
    this.#f64[44] = value;
  }

  /** f64: fp_trace_header, then fp_trace_record[trace_capacity]; a multiple of 16; 0: none */
  get trace(): number {
    return this.#f64[45];
  }
  set trace(value: number) {
    this.#f64[45] = value;
  }
}

/** `struct fp_plan_decode_args` in 4-byte words: its length, and where each field is. */
export const PLAN_DECODE_ARGS = {
  words: 48,
  structSize: 0,
  maxRequests: 1,
  maxTokens: 2,
  maxQoLen: 3,
  groupSize: 4,
  numKvHeads: 5,
  pageSize: 6,
  maxKvIndices: 7,
  causal: 8,
  windowLeft: 9,
  windowRight: 10,
  kvTile: 11,
  tokenCost: 12,
  itemCost: 13,
  partialRowCost: 14,
  sharesBandwidth: 15,
  appends: 16,
  numCtas: 17,
  maxTiles: 18,
  maxWorkItems: 19,
  maxMerges: 20,
  maxPartials: 21,
  maxPartialRows: 22,
  tilesOffset: 23,
  workOffset: 24,
  ctaBeginOffset: 25,
  mergesOffset: 26,
  partialsOffset: 27,
  startsOffset: 28,
  reserved: 29,
  qoIndptr: 30,
  pageIndptr: 32,
  lastPageLen: 34,
  kvLens: 36,
  kvIndices: 38,
  slots: 40,
  positions: 42,
  plan: 44,
  planBytes: 46,
} as const;

/** `struct fp_plan_decode_args`: pass `bytes` to the library. */
export class PlanDecodeArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 192;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(192);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 192;
  }

  /** i32: entries of last_page_len or kv_lens. A request without query tokens has no tile: the end of a smaller batch is such */
  get maxRequests(): number {
    return this.#i32[1];
  }
  set maxRequests(value: number) {
    this.#i32[1] = value;
  }

  /** i32: query tokens of a batch, at most */
  get maxTokens(): number {
    return this.#i32[2];
  }
  set maxTokens(value: number) {
    this.#i32[2] = value;
  }

  /** i32: query tokens of a request, at most: max_qo_len * group_size <= rows of FP_TILE_DECODE */
  get maxQoLen(): number {
    return this.#i32[3];
  }
  set maxQoLen(value: number) {
    this.#i32[3] = value;
  }

  /** i32: query heads a KV head; 1..64 */
  get groupSize(): number {
    return this.#i32[4];
  }
  set groupSize(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get numKvHeads(): number {
    return this.#i32[5];
  }
  set numKvHeads(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get pageSize(): number {
    return this.#i32[6];
  }
  set pageSize(value: number) {
    this.#i32[6] = value;
  }

  /** i32: page ids of a batch, at most */
  get maxKvIndices(): number {
    return this.#i32[7];
  }
  set maxKvIndices(value: number) {
    this.#i32[7] = value;
  }

  /** i32: as in fp_attention_args */
  get causal(): number {
    return this.#i32[8];
  }
  set causal(value: number) {
    this.#i32[8] = value;
  }

  /** i32 */
  get windowLeft(): number {
    return this.#i32[9];
  }
  set windowLeft(value: number) {
    this.#i32[9] = value;
  }

  /** i32 */
  get windowRight(): number {
    return this.#i32[10];
  }
  set windowRight(value: number) {
    this.#i32[10] = value;
  }

  /** i32: decode_kv_tile of fp_attention_limits */
  get kvTile(): number {
    return this.#i32[11];
  }
  set kvTile(value: number) {
    this.#i32[11] = value;
  }

  /** i32: of the cost model: one KV token, */
  get tokenCost(): number {
    return this.#i32[12];
  }
  set tokenCost(value: number) {
    this.#i32[12] = value;
  }

  /** i32: an item, */
  get itemCost(): number {
    return this.#i32[13];
  }
  set itemCost(value: number) {
    this.#i32[13] = value;
  }

  /** i32: and a row of a partial */
  get partialRowCost(): number {
    return this.#i32[14];
  }
  set partialRowCost(value: number) {
    this.#i32[14] = value;
  }

  /** i32: 1: CTAs without work leave their part of memory's rate to the others (CostModel of src/planner/cost.ts) */
  get sharesBandwidth(): number {
    return this.#i32[15];
  }
  set sharesBandwidth(value: number) {
    this.#i32[15] = value;
  }

  /** i32: 1: kv_lens[r] first grows by the request's query tokens, unless the batch is refused */
  get appends(): number {
    return this.#i32[16];
  }
  set appends(value: number) {
    this.#i32[16] = value;
  }

  /** i32: the plan's layout, as in fp_attention_args */
  get numCtas(): number {
    return this.#i32[17];
  }
  set numCtas(value: number) {
    this.#i32[17] = value;
  }

  /** i32 */
  get maxTiles(): number {
    return this.#i32[18];
  }
  set maxTiles(value: number) {
    this.#i32[18] = value;
  }

  /** i32 */
  get maxWorkItems(): number {
    return this.#i32[19];
  }
  set maxWorkItems(value: number) {
    this.#i32[19] = value;
  }

  /** i32 */
  get maxMerges(): number {
    return this.#i32[20];
  }
  set maxMerges(value: number) {
    this.#i32[20] = value;
  }

  /** i32 */
  get maxPartials(): number {
    return this.#i32[21];
  }
  set maxPartials(value: number) {
    this.#i32[21] = value;
  }

  /** i32 */
  get maxPartialRows(): number {
    return this.#i32[22];
  }
  set maxPartialRows(value: number) {
    this.#i32[22] = value;
  }

  /** i32 */
  get tilesOffset(): number {
    return this.#i32[23];
  }
  set tilesOffset(value: number) {
    this.#i32[23] = value;
  }

  /** i32 */
  get workOffset(): number {
    return this.#i32[24];
  }
  set workOffset(value: number) {
    this.#i32[24] = value;
  }

  /** i32 */
  get ctaBeginOffset(): number {
    return this.#i32[25];
  }
  set ctaBeginOffset(value: number) {
    this.#i32[25] = value;
  }

  /** i32 */
  get mergesOffset(): number {
    return this.#i32[26];
  }
  set mergesOffset(value: number) {
    this.#i32[26] = value;
  }

  /** i32 */
  get partialsOffset(): number {
    return this.#i32[27];
  }
  set partialsOffset(value: number) {
    this.#i32[27] = value;
  }

  /** i32: 0: none are wanted */
  get startsOffset(): number {
    return this.#i32[28];
  }
  set startsOffset(value: number) {
    this.#i32[28] = value;
  }

  /** i32: 0 */
  get reserved(): number {
    return this.#i32[29];
  }
  set reserved(value: number) {
    this.#i32[29] = value;
  }

  /** f64: i32 [max_requests + 1]: first query token of each request */
  get qoIndptr(): number {
    return this.#f64[15];
  }
  set qoIndptr(value: number) {
    this.#f64[15] = value;
  }

  /** f64: i32 [max_requests + 1]: first page id of each request */
  get pageIndptr(): number {
    return this.#f64[16];
  }
  set pageIndptr(value: number) {
    this.#f64[16] = value;
  }

  /** f64: i32 [max_requests]: KV tokens in the last page, which is the last of the row. Give this, or kv_lens */
  get lastPageLen(): number {
    return this.#f64[17];
  }
  set lastPageLen(value: number) {
    this.#f64[17] = value;
  }

  /** f64: i32 [max_requests]: KV tokens; the row may have more pages than they fill. 0: absent */
  get kvLens(): number {
    return this.#f64[18];
  }
  set kvLens(value: number) {
    this.#f64[18] = value;
  }

  /** f64: i32 [max_kv_indices]: page ids; read for slots and starts */
  get kvIndices(): number {
    return this.#f64[19];
  }
  set kvIndices(value: number) {
    this.#f64[19] = value;
  }

  /** f64: i32 [max_tokens], written: where fp_kv_append puts each query token's K and V; -1 behind the batch. 0: not wanted */
  get slots(): number {
    return this.#f64[20];
  }
  set slots(value: number) {
    this.#f64[20] = value;
  }

  /** f64: i32 [max_tokens], written: position of each query token; 0 behind the batch. 0: not wanted */
  get positions(): number {
    return this.#f64[21];
  }
  set positions(value: number) {
    this.#f64[21] = value;
  }

  /** f64: i32 [plan_bytes / 4], written */
  get plan(): number {
    return this.#f64[22];
  }
  set plan(value: number) {
    this.#f64[22] = value;
  }

  /** f64 */
  get planBytes(): number {
    return this.#f64[23];
  }
  set planBytes(value: number) {
    this.#f64[23] = value;
  }
}

/** `struct fp_merge_states_args` in 4-byte words: its length, and where each field is. */
export const MERGE_STATES_ARGS = {
  words: 14,
  structSize: 0,
  dtype: 1,
  numRows: 2,
  numStates: 3,
  headDim: 4,
  reserved: 5,
  states: 6,
  statesLse: 8,
  out: 10,
  lse: 12,
} as const;

/** `struct fp_merge_states_args`: pass `bytes` to the library. */
export class MergeStatesArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 56;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(56);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 56;
  }

  /** i32: of states and out: F32, F16, BF16 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32: tokens x heads */
  get numRows(): number {
    return this.#i32[2];
  }
  set numRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get numStates(): number {
    return this.#i32[3];
  }
  set numStates(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get headDim(): number {
    return this.#i32[4];
  }
  set headDim(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[5];
  }
  set reserved(value: number) {
    this.#i32[5] = value;
  }

  /** f64: [num_states, num_rows, head_dim] */
  get states(): number {
    return this.#f64[3];
  }
  set states(value: number) {
    this.#f64[3] = value;
  }

  /** f64: f32 [num_states, num_rows] */
  get statesLse(): number {
    return this.#f64[4];
  }
  set statesLse(value: number) {
    this.#f64[4] = value;
  }

  /** f64: [num_rows, head_dim] */
  get out(): number {
    return this.#f64[5];
  }
  set out(value: number) {
    this.#f64[5] = value;
  }

  /** f64: f32 [num_rows]; 0: not wanted */
  get lse(): number {
    return this.#f64[6];
  }
  set lse(value: number) {
    this.#f64[6] = value;
  }
}

/** `struct fp_kv_append_args` in 4-byte words: its length, and where each field is. */
export const KV_APPEND_ARGS = {
  words: 52,
  structSize: 0,
  dtype: 1,
  cacheDtype: 2,
  numTokens: 3,
  numKvHeads: 4,
  headDimQk: 5,
  headDimVo: 6,
  pageSize: 7,
  numPages: 8,
  rotaryDim: 9,
  ropeInterleaved: 10,
  kScale: 11,
  vScale: 12,
  reserved: 13,
  k: 14,
  kTokenStride: 16,
  kHeadStride: 18,
  v: 20,
  vTokenStride: 22,
  vHeadStride: 24,
  kCache: 26,
  kPageStride: 28,
  kCacheTokenStride: 30,
  kCacheHeadStride: 32,
  vCache: 34,
  vPageStride: 36,
  vCacheTokenStride: 38,
  vCacheHeadStride: 40,
  kHeadScales: 42,
  vHeadScales: 44,
  slots: 46,
  positions: 48,
  invFreq: 50,
} as const;

/** `struct fp_kv_append_args`: pass `bytes` to the library. */
export class KvAppendArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 208;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(208);
    this.bytes = new Uint8Array(buffer);
    this.#f32 = new Float32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 208;
  }

  /** i32: of k and v */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32: dtype, or FP8: x / scale is stored, rounded to nearest even, what is too large as the largest finite number */
  get cacheDtype(): number {
    return this.#i32[2];
  }
  set cacheDtype(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get numTokens(): number {
    return this.#i32[3];
  }
  set numTokens(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get numKvHeads(): number {
    return this.#i32[4];
  }
  set numKvHeads(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get headDimQk(): number {
    return this.#i32[5];
  }
  set headDimQk(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get headDimVo(): number {
    return this.#i32[6];
  }
  set headDimVo(value: number) {
    this.#i32[6] = value;
  }

  /** i32 */
  get pageSize(): number {
    return this.#i32[7];
  }
  set pageSize(value: number) {
    this.#i32[7] = value;
  }

  /** i32 */
  get numPages(): number {
    return this.#i32[8];
  }
  set numPages(value: number) {
    this.#i32[8] = value;
  }

  /** i32: 0: no RoPE, as it must be if k is FP8; else even and <= head_dim_qk; applied to k only, before it is scaled */
  get rotaryDim(): number {
    return this.#i32[9];
  }
  set rotaryDim(value: number) {
    this.#i32[9] = value;
  }

  /** i32: 1: pairs (2i, 2i+1); 0: pairs (i, i + rotary_dim / 2) */
  get ropeInterleaved(): number {
    return this.#i32[10];
  }
  set ropeInterleaved(value: number) {
    this.#i32[10] = value;
  }

  /** f32: scales as in fp_attention_args; rows that are FP8 already are stored as they are */
  get kScale(): number {
    return this.#f32[11];
  }
  set kScale(value: number) {
    this.#f32[11] = value;
  }

  /** f32 */
  get vScale(): number {
    return this.#f32[12];
  }
  set vScale(value: number) {
    this.#f32[12] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[13];
  }
  set reserved(value: number) {
    this.#i32[13] = value;
  }

  /** f64: new keys [num_tokens, num_kv_heads, head_dim_qk] */
  get k(): number {
    return this.#f64[7];
  }
  set k(value: number) {
    this.#f64[7] = value;
  }

  /** f64 */
  get kTokenStride(): number {
    return this.#f64[8];
  }
  set kTokenStride(value: number) {
    this.#f64[8] = value;
  }

  /** f64 */
  get kHeadStride(): number {
    return this.#f64[9];
  }
  set kHeadStride(value: number) {
    this.#f64[9] = value;
  }

  /** f64: new values [num_tokens, num_kv_heads, head_dim_vo] */
  get v(): number {
    return this.#f64[10];
  }
  set v(value: number) {
    this.#f64[10] = value;
  }

  /** f64 */
  get vTokenStride(): number {
    return this.#f64[11];
  }
  set vTokenStride(value: number) {
    this.#f64[11] = value;
  }

  /** f64 */
  get vHeadStride(): number {
    return this.#f64[12];
  }
  set vHeadStride(value: number) {
    this.#f64[12] = value;
  }

  /** f64 */
  get kCache(): number {
    return this.#f64[13];
  }
  set kCache(value: number) {
    this.#f64[13] = value;
  }

  /** f64 */
  get kPageStride(): number {
    return this.#f64[14];
  }
  set kPageStride(value: number) {
    this.#f64[14] = value;
  }

  /** f64 */
  get kCacheTokenStride(): number {
    return this.#f64[15];
  }
  set kCacheTokenStride(value: number) {
    this.#f64[15] = value;
  }

  /** f64 */
  get kCacheHeadStride(): number {
    return this.#f64[16];
  }
  set kCacheHeadStride(value: number) {
    this.#f64[16] = value;
  }

  /** f64 */
  get vCache(): number {
    return this.#f64[17];
  }
  set vCache(value: number) {
    this.#f64[17] = value;
  }

  /** f64 */
  get vPageStride(): number {
    return this.#f64[18];
  }
  set vPageStride(value: number) {
    this.#f64[18] = value;
  }

  /** f64 */
  get vCacheTokenStride(): number {
    return this.#f64[19];
  }
  set vCacheTokenStride(value: number) {
    this.#f64[19] = value;
  }

  /** f64 */
  get vCacheHeadStride(): number {
    return this.#f64[20];
  }
  set vCacheHeadStride(value: number) {
    this.#f64[20] = value;
  }

  /** f64: f32 [num_kv_heads]; 0: all 1. Where one, or its product with k_scale, is not positive and finite, the CPU's work fails; CUDA stores NaN for that head */
  get kHeadScales(): number {
    return this.#f64[21];
  }
  set kHeadScales(value: number) {
    this.#f64[21] = value;
  }

  /** f64 */
  get vHeadScales(): number {
    return this.#f64[22];
  }
  set vHeadScales(value: number) {
    this.#f64[22] = value;
  }

  /** f64: i32 [num_tokens]: page * page_size + token of the page; < 0: the token is not written */
  get slots(): number {
    return this.#f64[23];
  }
  set slots(value: number) {
    this.#f64[23] = value;
  }

  /** f64: i32 [num_tokens], for RoPE; 0 without */
  get positions(): number {
    return this.#f64[24];
  }
  set positions(value: number) {
    this.#f64[24] = value;
  }

  /** f64: f32 [rotary_dim / 2], radians per position, scaling included; 0 without RoPE */
  get invFreq(): number {
    return this.#f64[25];
  }
  set invFreq(value: number) {
    this.#f64[25] = value;
  }
}

/** `struct fp_kv_copy_pages_args` in 4-byte words: its length, and where each field is. */
export const KV_COPY_PAGES_ARGS = {
  words: 26,
  structSize: 0,
  dtype: 1,
  numCopies: 2,
  numKvHeads: 3,
  headDimQk: 4,
  headDimVo: 5,
  pageSize: 6,
  numPages: 7,
  kCache: 8,
  kPageStride: 10,
  kCacheTokenStride: 12,
  kCacheHeadStride: 14,
  vCache: 16,
  vPageStride: 18,
  vCacheTokenStride: 20,
  vCacheHeadStride: 22,
  pairs: 24,
} as const;

/** `struct fp_kv_copy_pages_args`: pass `bytes` to the library. */
export class KvCopyPagesArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 104;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(104);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 104;
  }

  /** i32: of the caches */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numCopies(): number {
    return this.#i32[2];
  }
  set numCopies(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get numKvHeads(): number {
    return this.#i32[3];
  }
  set numKvHeads(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get headDimQk(): number {
    return this.#i32[4];
  }
  set headDimQk(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get headDimVo(): number {
    return this.#i32[5];
  }
  set headDimVo(value: number) {
    this.#i32[5] = value;
  }

  /** i32 */
  get pageSize(): number {
    return this.#i32[6];
  }
  set pageSize(value: number) {
    this.#i32[6] = value;
  }

  /** i32 */
  get numPages(): number {
    return this.#i32[7];
  }
  set numPages(value: number) {
    this.#i32[7] = value;
  }

  /** f64 */
  get kCache(): number {
    return this.#f64[4];
  }
  set kCache(value: number) {
    this.#f64[4] = value;
  }

  /** f64 */
  get kPageStride(): number {
    return this.#f64[5];
  }
  set kPageStride(value: number) {
    this.#f64[5] = value;
  }

  /** f64 */
  get kCacheTokenStride(): number {
    return this.#f64[6];
  }
  set kCacheTokenStride(value: number) {
    this.#f64[6] = value;
  }

  /** f64 */
  get kCacheHeadStride(): number {
    return this.#f64[7];
  }
  set kCacheHeadStride(value: number) {
    this.#f64[7] = value;
  }

  /** f64 */
  get vCache(): number {
    return this.#f64[8];
  }
  set vCache(value: number) {
    this.#f64[8] = value;
  }

  /** f64 */
  get vPageStride(): number {
    return this.#f64[9];
  }
  set vPageStride(value: number) {
    this.#f64[9] = value;
  }

  /** f64 */
  get vCacheTokenStride(): number {
    return this.#f64[10];
  }
  set vCacheTokenStride(value: number) {
    this.#f64[10] = value;
  }

  /** f64 */
  get vCacheHeadStride(): number {
    return this.#f64[11];
  }
  set vCacheHeadStride(value: number) {
    this.#f64[11] = value;
  }

  /** f64: i32 [num_copies, 2]: source page, target page; targets are distinct and no page is both */
  get pairs(): number {
    return this.#f64[12];
  }
  set pairs(value: number) {
    this.#f64[12] = value;
  }
}

/** `struct fp_rms_norm_args` in 4-byte words: its length, and where each field is. */
export const RMS_NORM_ARGS = {
  words: 20,
  structSize: 0,
  dtype: 1,
  numRows: 2,
  dim: 3,
  eps: 4,
  reserved: 5,
  x: 6,
  xRowStride: 8,
  residual: 10,
  residualRowStride: 12,
  weight: 14,
  out: 16,
  outRowStride: 18,
} as const;

/** `struct fp_rms_norm_args`: pass `bytes` to the library. */
export class RmsNormArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 80;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f32: Float32Array;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(80);
    this.bytes = new Uint8Array(buffer);
    this.#f32 = new Float32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 80;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numRows(): number {
    return this.#i32[2];
  }
  set numRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get dim(): number {
    return this.#i32[3];
  }
  set dim(value: number) {
    this.#i32[3] = value;
  }

  /** f32 */
  get eps(): number {
    return this.#f32[4];
  }
  set eps(value: number) {
    this.#f32[4] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[5];
  }
  set reserved(value: number) {
    this.#i32[5] = value;
  }

  /** f64: [num_rows, dim] */
  get x(): number {
    return this.#f64[3];
  }
  set x(value: number) {
    this.#f64[3] = value;
  }

  /** f64 */
  get xRowStride(): number {
    return this.#f64[4];
  }
  set xRowStride(value: number) {
    this.#f64[4] = value;
  }

  /** f64: [num_rows, dim], read and written; 0: none */
  get residual(): number {
    return this.#f64[5];
  }
  set residual(value: number) {
    this.#f64[5] = value;
  }

  /** f64 */
  get residualRowStride(): number {
    return this.#f64[6];
  }
  set residualRowStride(value: number) {
    this.#f64[6] = value;
  }

  /** f64: [dim] */
  get weight(): number {
    return this.#f64[7];
  }
  set weight(value: number) {
    this.#f64[7] = value;
  }

  /** f64: [num_rows, dim]; may be x */
  get out(): number {
    return this.#f64[8];
  }
  set out(value: number) {
    this.#f64[8] = value;
  }

  /** f64 */
  get outRowStride(): number {
    return this.#f64[9];
  }
  set outRowStride(value: number) {
    this.#f64[9] = value;
  }
}

/** `struct fp_rope_args` in 4-byte words: its length, and where each field is. */
export const ROPE_ARGS = {
  words: 18,
  structSize: 0,
  dtype: 1,
  numTokens: 2,
  numHeads: 3,
  headDim: 4,
  rotaryDim: 5,
  interleaved: 6,
  reserved: 7,
  x: 8,
  xTokenStride: 10,
  xHeadStride: 12,
  positions: 14,
  invFreq: 16,
} as const;

/** `struct fp_rope_args`: pass `bytes` to the library. */
export class RopeArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 72;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(72);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 72;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numTokens(): number {
    return this.#i32[2];
  }
  set numTokens(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get numHeads(): number {
    return this.#i32[3];
  }
  set numHeads(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get headDim(): number {
    return this.#i32[4];
  }
  set headDim(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get rotaryDim(): number {
    return this.#i32[5];
  }
  set rotaryDim(value: number) {
    this.#i32[5] = value;
  }

  /** i32: as rope_interleaved of fp_kv_append_args */
  get interleaved(): number {
    return this.#i32[6];
  }
  set interleaved(value: number) {
    this.#i32[6] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[7];
  }
  set reserved(value: number) {
    this.#i32[7] = value;
  }

  /** f64: [num_tokens, num_heads, head_dim] */
  get x(): number {
    return this.#f64[4];
  }
  set x(value: number) {
    this.#f64[4] = value;
  }

  /** f64 */
  get xTokenStride(): number {
    return this.#f64[5];
  }
  set xTokenStride(value: number) {
    this.#f64[5] = value;
  }

  /** f64 */
  get xHeadStride(): number {
    return this.#f64[6];
  }
  set xHeadStride(value: number) {
    this.#f64[6] = value;
  }

  /** f64: i32 [num_tokens] */
  get positions(): number {
    return this.#f64[7];
  }
  set positions(value: number) {
    this.#f64[7] = value;
  }

  /** f64: f32 [rotary_dim / 2] */
  get invFreq(): number {
    return this.#f64[8];
  }
  set invFreq(value: number) {
    this.#f64[8] = value;
  }
}

/** `struct fp_silu_and_mul_args` in 4-byte words: its length, and where each field is. */
export const SILU_AND_MUL_ARGS = {
  words: 12,
  structSize: 0,
  dtype: 1,
  numRows: 2,
  dim: 3,
  x: 4,
  xRowStride: 6,
  out: 8,
  outRowStride: 10,
} as const;

/** `struct fp_silu_and_mul_args`: pass `bytes` to the library. */
export class SiluAndMulArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 48;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numRows(): number {
    return this.#i32[2];
  }
  set numRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get dim(): number {
    return this.#i32[3];
  }
  set dim(value: number) {
    this.#i32[3] = value;
  }

  /** f64: [num_rows, 2 * dim] */
  get x(): number {
    return this.#f64[2];
  }
  set x(value: number) {
    this.#f64[2] = value;
  }

  /** f64 */
  get xRowStride(): number {
    return this.#f64[3];
  }
  set xRowStride(value: number) {
    this.#f64[3] = value;
  }

  /** f64: [num_rows, dim] */
  get out(): number {
    return this.#f64[4];
  }
  set out(value: number) {
    this.#f64[4] = value;
  }

  /** f64 */
  get outRowStride(): number {
    return this.#f64[5];
  }
  set outRowStride(value: number) {
    this.#f64[5] = value;
  }
}

/** `struct fp_embedding_args` in 4-byte words: its length, and where each field is. */
export const EMBEDDING_ARGS = {
  words: 12,
  structSize: 0,
  dtype: 1,
  numTokens: 2,
  vocabSize: 3,
  dim: 4,
  reserved: 5,
  ids: 6,
  table: 8,
  out: 10,
} as const;

/** `struct fp_embedding_args`: pass `bytes` to the library. */
export class EmbeddingArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 48;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numTokens(): number {
    return this.#i32[2];
  }
  set numTokens(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get vocabSize(): number {
    return this.#i32[3];
  }
  set vocabSize(value: number) {
    this.#i32[3] = value;
  }

  /** i32 */
  get dim(): number {
    return this.#i32[4];
  }
  set dim(value: number) {
    this.#i32[4] = value;
  }

  /** i32 */
  get reserved(): number {
    return this.#i32[5];
  }
  set reserved(value: number) {
    this.#i32[5] = value;
  }

  /** f64: i32 [num_tokens]; an id outside the vocabulary gives a row of zeros */
  get ids(): number {
    return this.#f64[3];
  }
  set ids(value: number) {
    this.#f64[3] = value;
  }

  /** f64: [vocab_size, dim] */
  get table(): number {
    return this.#f64[4];
  }
  set table(value: number) {
    this.#f64[4] = value;
  }

  /** f64: [num_tokens, dim] */
  get out(): number {
    return this.#f64[5];
  }
  set out(value: number) {
    this.#f64[5] = value;
  }
}

/** `struct fp_linear_args` in 4-byte words: its length, and where each field is. */
export const LINEAR_ARGS = {
  words: 18,
  structSize: 0,
  dtype: 1,
  outDtype: 2,
  numRows: 3,
  inDim: 4,
  outDim: 5,
  x: 6,
  xRowStride: 8,
  weight: 10,
  bias: 12,
  out: 14,
  outRowStride: 16,
} as const;

/** `struct fp_linear_args`: pass `bytes` to the library. */
export class LinearArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 72;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(72);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 72;
  }

  /** i32: of x, weight and bias */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32: dtype, or FP_F32 */
  get outDtype(): number {
    return this.#i32[2];
  }
  set outDtype(value: number) {
    this.#i32[2] = value;
  }

  /** i32: m */
  get numRows(): number {
    return this.#i32[3];
  }
  set numRows(value: number) {
    this.#i32[3] = value;
  }

  /** i32: k */
  get inDim(): number {
    return this.#i32[4];
  }
  set inDim(value: number) {
    this.#i32[4] = value;
  }

  /** i32: n */
  get outDim(): number {
    return this.#i32[5];
  }
  set outDim(value: number) {
    this.#i32[5] = value;
  }

  /** f64: [m, k] */
  get x(): number {
    return this.#f64[3];
  }
  set x(value: number) {
    this.#f64[3] = value;
  }

  /** f64 */
  get xRowStride(): number {
    return this.#f64[4];
  }
  set xRowStride(value: number) {
    this.#f64[4] = value;
  }

  /** f64: [n, k], contiguous */
  get weight(): number {
    return this.#f64[5];
  }
  set weight(value: number) {
    this.#f64[5] = value;
  }

  /** f64: [n]; 0: none */
  get bias(): number {
    return this.#f64[6];
  }
  set bias(value: number) {
    this.#f64[6] = value;
  }

  /** f64: [m, n] */
  get out(): number {
    return this.#f64[7];
  }
  set out(value: number) {
    this.#f64[7] = value;
  }

  /** f64 */
  get outRowStride(): number {
    return this.#f64[8];
  }
  set outRowStride(value: number) {
    this.#f64[8] = value;
  }
}

/** `struct fp_argmax_args` in 4-byte words: its length, and where each field is. */
export const ARGMAX_ARGS = {
  words: 10,
  structSize: 0,
  dtype: 1,
  numRows: 2,
  vocabSize: 3,
  logits: 4,
  logitsRowStride: 6,
  out: 8,
} as const;

/** `struct fp_argmax_args`: pass `bytes` to the library. */
export class ArgmaxArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 40;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(40);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 40;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numRows(): number {
    return this.#i32[2];
  }
  set numRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get vocabSize(): number {
    return this.#i32[3];
  }
  set vocabSize(value: number) {
    this.#i32[3] = value;
  }

  /** f64: [num_rows, vocab_size] */
  get logits(): number {
    return this.#f64[2];
  }
  set logits(value: number) {
    this.#f64[2] = value;
  }

  /** f64 */
  get logitsRowStride(): number {
    return this.#f64[3];
  }
  set logitsRowStride(value: number) {
    this.#f64[3] = value;
  }

  /** f64: i32 [num_rows] */
  get out(): number {
    return this.#f64[4];
  }
  set out(value: number) {
    this.#f64[4] = value;
  }
}

/** `struct fp_sampling_row` in 4-byte words: its length, and where each field is. */
export const SAMPLING_ROW = {
  words: 6,
  temperature: 0,
  topK: 1,
  topP: 2,
  seedLo: 3,
  seedHi: 4,
  step: 5,
} as const;

/** `struct fp_sampling_row`: pass `bytes` to the library. */
export class SamplingRow {
  /** Bytes of the struct. */
  static readonly byteLength = 24;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f32: Float32Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(24);
    this.bytes = new Uint8Array(buffer);
    this.#f32 = new Float32Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
  }

  /** f32 */
  get temperature(): number {
    return this.#f32[0];
  }
  set temperature(value: number) {
    this.#f32[0] = value;
  }

  /** i32: 0: all */
  get topK(): number {
    return this.#i32[1];
  }
  set topK(value: number) {
    this.#i32[1] = value;
  }

  /** f32: 1: all */
  get topP(): number {
    return this.#f32[2];
  }
  set topP(value: number) {
    this.#f32[2] = value;
  }

  /** u32 */
  get seedLo(): number {
    return this.#u32[3];
  }
  set seedLo(value: number) {
    this.#u32[3] = value;
  }

  /** u32 */
  get seedHi(): number {
    return this.#u32[4];
  }
  set seedHi(value: number) {
    this.#u32[4] = value;
  }

  /** u32 */
  get step(): number {
    return this.#u32[5];
  }
  set step(value: number) {
    this.#u32[5] = value;
  }
}

/** `struct fp_sample_args` in 4-byte words: its length, and where each field is. */
export const SAMPLE_ARGS = {
  words: 12,
  structSize: 0,
  dtype: 1,
  numRows: 2,
  vocabSize: 3,
  logits: 4,
  logitsRowStride: 6,
  rows: 8,
  out: 10,
} as const;

/** `struct fp_sample_args`: pass `bytes` to the library. */
export class SampleArgs {
  /** Bytes of the struct. */
  static readonly byteLength = 48;
  /** The struct's memory. It never moves. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;

  constructor() {
    const buffer = new ArrayBuffer(48);
    this.bytes = new Uint8Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u32[0] = 48;
  }

  /** i32 */
  get dtype(): number {
    return this.#i32[1];
  }
  set dtype(value: number) {
    this.#i32[1] = value;
  }

  /** i32 */
  get numRows(): number {
    return this.#i32[2];
  }
  set numRows(value: number) {
    this.#i32[2] = value;
  }

  /** i32 */
  get vocabSize(): number {
    return this.#i32[3];
  }
  set vocabSize(value: number) {
    this.#i32[3] = value;
  }

  /** f64: [num_rows, vocab_size] */
  get logits(): number {
    return this.#f64[2];
  }
  set logits(value: number) {
    this.#f64[2] = value;
  }

  /** f64 */
  get logitsRowStride(): number {
    return this.#f64[3];
  }
  set logitsRowStride(value: number) {
    this.#f64[3] = value;
  }

  /** f64: fp_sampling_row [num_rows] */
  get rows(): number {
    return this.#f64[4];
  }
  set rows(value: number) {
    this.#f64[4] = value;
  }

  /** f64: i32 [num_rows] */
  get out(): number {
    return this.#f64[5];
  }
  set out(value: number) {
    this.#f64[5] = value;
  }
}

/** Every struct in the order of the header, for the native self-test. */
export const STRUCTS: readonly { name: string; byteLength: number; fields: readonly [name: string, type: "i32" | "u32" | "f32" | "f64", byteOffset: number][] }[] = [
  {
    name: "fp_device_info",
    byteLength: 48,
    fields: [
      ["kind", "i32", 0],
      ["ordinal", "i32", 4],
      ["num_processors", "i32", 8],
      ["compute_capability", "i32", 12],
      ["driver_version", "i32", 16],
      ["shared_memory_bytes", "i32", 20],
      ["total_memory_bytes", "f64", 24],
      ["free_memory_bytes", "f64", 32],
      ["l2_cache_bytes", "f64", 40],
    ],
  },
  {
    name: "fp_memory_usage",
    byteLength: 32,
    fields: [
      ["allocated_bytes", "f64", 0],
      ["peak_bytes", "f64", 8],
      ["num_allocations", "f64", 16],
      ["pending_bytes", "f64", 24],
    ],
  },
  {
    name: "fp_plan_header",
    byteLength: 64,
    fields: [
      ["num_tiles", "i32", 0],
      ["num_work_items", "i32", 4],
      ["num_ctas", "i32", 8],
      ["num_merges", "i32", 12],
      ["num_partial_rows", "i32", 16],
      ["num_partials", "i32", 20],
      ["num_row_entries", "i32", 24],
      ["num_queued_pieces", "i32", 28],
      ["num_queued_items", "i32", 32],
      ["queue_next", "i32", 36],
      ["status", "i32", 40],
      ["status_request", "i32", 44],
      ["num_prefill_ctas", "i32", 48],
      ["start_gate", "i32", 52],
      ["reserved0", "i32", 56],
      ["reserved1", "i32", 60],
    ],
  },
  {
    name: "fp_row_tile",
    byteLength: 48,
    fields: [
      ["tile_class", "i32", 0],
      ["token_begin", "i32", 4],
      ["num_tokens", "i32", 8],
      ["gathered", "i32", 12],
      ["qo_pos_begin", "i32", 16],
      ["page_begin", "i32", 20],
      ["kv_pos_begin", "i32", 24],
      ["kv_len", "i32", 28],
      ["mask_byte_begin", "i32", 32],
      ["mask_stride_bits", "i32", 36],
      ["mask_row_begin", "i32", 40],
      ["reserved", "i32", 44],
    ],
  },
  {
    name: "fp_work_item",
    byteLength: 32,
    fields: [
      ["tile", "i32", 0],
      ["kv_head_begin", "i32", 4],
      ["num_kv_heads", "i32", 8],
      ["kv_begin", "i32", 12],
      ["kv_end", "i32", 16],
      ["partial_row", "i32", 20],
      ["needs_mask", "i32", 24],
      ["merge", "i32", 28],
    ],
  },
  {
    name: "fp_merge_item",
    byteLength: 32,
    fields: [
      ["token_begin", "i32", 0],
      ["num_tokens", "i32", 4],
      ["kv_head", "i32", 8],
      ["partials_begin", "i32", 12],
      ["num_partials", "i32", 16],
      ["in_kernel", "i32", 20],
      ["arrivals", "i32", 24],
      ["reserved", "i32", 28],
    ],
  },
  {
    name: "fp_cta_start",
    byteLength: 48,
    fields: [
      ["token_begin", "i32", 0],
      ["num_tokens", "i32", 4],
      ["qo_pos_begin", "i32", 8],
      ["page_begin", "i32", 12],
      ["page0", "i32", 16],
      ["page1", "i32", 20],
      ["page2", "i32", 24],
      ["page3", "i32", 28],
      ["page4", "i32", 32],
      ["page5", "i32", 36],
      ["page6", "i32", 40],
      ["page7", "i32", 44],
    ],
  },
  {
    name: "fp_row_entry",
    byteLength: 8,
    fields: [
      ["token", "i32", 0],
      ["qo_pos", "i32", 4],
    ],
  },
  {
    name: "fp_trace_header",
    byteLength: 16,
    fields: [
      ["num_records", "u32", 0],
      ["num_dropped", "u32", 4],
      ["reserved0", "u32", 8],
      ["reserved1", "u32", 12],
    ],
  },
  {
    name: "fp_trace_record",
    byteLength: 32,
    fields: [
      ["work_item", "i32", 0],
      ["kv_heads", "u32", 4],
      ["processor", "u32", 8],
      ["cta", "u32", 12],
      ["begin_low", "u32", 16],
      ["begin_high", "u32", 20],
      ["end_low", "u32", 24],
      ["end_high", "u32", 28],
    ],
  },
  {
    name: "fp_attention_limits",
    byteLength: 32,
    fields: [
      ["struct_size", "u32", 0],
      ["num_ctas", "i32", 4],
      ["decode_rows", "i32", 8],
      ["prefill_rows", "i32", 12],
      ["decode_kv_tile", "i32", 16],
      ["prefill_kv_tile", "i32", 20],
      ["prefill_ctas", "i32", 24],
      ["reads_starts", "i32", 28],
    ],
  },
  {
    name: "fp_attention_args",
    byteLength: 368,
    fields: [
      ["struct_size", "u32", 0],
      ["q_dtype", "i32", 4],
      ["dtype", "i32", 8],
      ["kv_dtype", "i32", 12],
      ["num_tokens", "i32", 16],
      ["num_qo_heads", "i32", 20],
      ["num_kv_heads", "i32", 24],
      ["head_dim_qk", "i32", 28],
      ["head_dim_vo", "i32", 32],
      ["page_size", "i32", 36],
      ["num_pages", "i32", 40],
      ["num_kv_indices", "i32", 44],
      ["causal", "i32", 48],
      ["window_left", "i32", 52],
      ["window_right", "i32", 56],
      ["sm_scale", "f32", 60],
      ["logits_soft_cap", "f32", 64],
      ["q_scale", "f32", 68],
      ["k_scale", "f32", 72],
      ["v_scale", "f32", 76],
      ["num_ctas", "i32", 80],
      ["max_tiles", "i32", 84],
      ["max_work_items", "i32", 88],
      ["max_merges", "i32", 92],
      ["max_partials", "i32", 96],
      ["max_row_entries", "i32", 100],
      ["max_partial_rows", "i32", 104],
      ["tiles_offset", "i32", 108],
      ["work_offset", "i32", 112],
      ["cta_begin_offset", "i32", 116],
      ["merges_offset", "i32", 120],
      ["partials_offset", "i32", 124],
      ["rows_offset", "i32", 128],
      ["tile_classes", "i32", 132],
      ["launches_merges", "i32", 136],
      ["splits_sms", "i32", 140],
      ["trace_capacity", "i32", 144],
      ["batch_invariant", "i32", 148],
      ["starts_offset", "i32", 152],
      ["q", "f64", 160],
      ["q_token_stride", "f64", 168],
      ["q_head_stride", "f64", 176],
      ["k", "f64", 184],
      ["k_page_stride", "f64", 192],
      ["k_token_stride", "f64", 200],
      ["k_head_stride", "f64", 208],
      ["v", "f64", 216],
      ["v_page_stride", "f64", 224],
      ["v_token_stride", "f64", 232],
      ["v_head_stride", "f64", 240],
      ["q_head_scales", "f64", 248],
      ["k_head_scales", "f64", 256],
      ["v_head_scales", "f64", 264],
      ["out", "f64", 272],
      ["out_token_stride", "f64", 280],
      ["out_head_stride", "f64", 288],
      ["lse", "f64", 296],
      ["kv_indices", "f64", 304],
      ["custom_mask", "f64", 312],
      ["custom_mask_bytes", "f64", 320],
      ["plan", "f64", 328],
      ["plan_bytes", "f64", 336],
      ["workspace", "f64", 344],
      ["workspace_bytes", "f64", 352],
      ["trace", "f64", 360],
    ],
  },
  {
    name: "fp_plan_decode_args",
    byteLength: 192,
    fields: [
      ["struct_size", "u32", 0],
      ["max_requests", "i32", 4],
      ["max_tokens", "i32", 8],
      ["max_qo_len", "i32", 12],
      ["group_size", "i32", 16],
      ["num_kv_heads", "i32", 20],
      ["page_size", "i32", 24],
      ["max_kv_indices", "i32", 28],
      ["causal", "i32", 32],
      ["window_left", "i32", 36],
      ["window_right", "i32", 40],
      ["kv_tile", "i32", 44],
      ["token_cost", "i32", 48],
      ["item_cost", "i32", 52],
      ["partial_row_cost", "i32", 56],
      ["shares_bandwidth", "i32", 60],
      ["appends", "i32", 64],
      ["num_ctas", "i32", 68],
      ["max_tiles", "i32", 72],
      ["max_work_items", "i32", 76],
      ["max_merges", "i32", 80],
      ["max_partials", "i32", 84],
      ["max_partial_rows", "i32", 88],
      ["tiles_offset", "i32", 92],
      ["work_offset", "i32", 96],
      ["cta_begin_offset", "i32", 100],
      ["merges_offset", "i32", 104],
      ["partials_offset", "i32", 108],
      ["starts_offset", "i32", 112],
      ["reserved", "i32", 116],
      ["qo_indptr", "f64", 120],
      ["page_indptr", "f64", 128],
      ["last_page_len", "f64", 136],
      ["kv_lens", "f64", 144],
      ["kv_indices", "f64", 152],
      ["slots", "f64", 160],
      ["positions", "f64", 168],
      ["plan", "f64", 176],
      ["plan_bytes", "f64", 184],
    ],
  },
  {
    name: "fp_merge_states_args",
    byteLength: 56,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_rows", "i32", 8],
      ["num_states", "i32", 12],
      ["head_dim", "i32", 16],
      ["reserved", "i32", 20],
      ["states", "f64", 24],
      ["states_lse", "f64", 32],
      ["out", "f64", 40],
      ["lse", "f64", 48],
    ],
  },
  {
    name: "fp_kv_append_args",
    byteLength: 208,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["cache_dtype", "i32", 8],
      ["num_tokens", "i32", 12],
      ["num_kv_heads", "i32", 16],
      ["head_dim_qk", "i32", 20],
      ["head_dim_vo", "i32", 24],
      ["page_size", "i32", 28],
      ["num_pages", "i32", 32],
      ["rotary_dim", "i32", 36],
      ["rope_interleaved", "i32", 40],
      ["k_scale", "f32", 44],
      ["v_scale", "f32", 48],
      ["reserved", "i32", 52],
      ["k", "f64", 56],
      ["k_token_stride", "f64", 64],
      ["k_head_stride", "f64", 72],
      ["v", "f64", 80],
      ["v_token_stride", "f64", 88],
      ["v_head_stride", "f64", 96],
      ["k_cache", "f64", 104],
      ["k_page_stride", "f64", 112],
      ["k_cache_token_stride", "f64", 120],
      ["k_cache_head_stride", "f64", 128],
      ["v_cache", "f64", 136],
      ["v_page_stride", "f64", 144],
      ["v_cache_token_stride", "f64", 152],
      ["v_cache_head_stride", "f64", 160],
      ["k_head_scales", "f64", 168],
      ["v_head_scales", "f64", 176],
      ["slots", "f64", 184],
      ["positions", "f64", 192],
      ["inv_freq", "f64", 200],
    ],
  },
  {
    name: "fp_kv_copy_pages_args",
    byteLength: 104,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_copies", "i32", 8],
      ["num_kv_heads", "i32", 12],
      ["head_dim_qk", "i32", 16],
      ["head_dim_vo", "i32", 20],
      ["page_size", "i32", 24],
      ["num_pages", "i32", 28],
      ["k_cache", "f64", 32],
      ["k_page_stride", "f64", 40],
      ["k_cache_token_stride", "f64", 48],
      ["k_cache_head_stride", "f64", 56],
      ["v_cache", "f64", 64],
      ["v_page_stride", "f64", 72],
      ["v_cache_token_stride", "f64", 80],
      ["v_cache_head_stride", "f64", 88],
      ["pairs", "f64", 96],
    ],
  },
  {
    name: "fp_rms_norm_args",
    byteLength: 80,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_rows", "i32", 8],
      ["dim", "i32", 12],
      ["eps", "f32", 16],
      ["reserved", "i32", 20],
      ["x", "f64", 24],
      ["x_row_stride", "f64", 32],
      ["residual", "f64", 40],
      ["residual_row_stride", "f64", 48],
      ["weight", "f64", 56],
      ["out", "f64", 64],
      ["out_row_stride", "f64", 72],
    ],
  },
  {
    name: "fp_rope_args",
    byteLength: 72,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_tokens", "i32", 8],
      ["num_heads", "i32", 12],
      ["head_dim", "i32", 16],
      ["rotary_dim", "i32", 20],
      ["interleaved", "i32", 24],
      ["reserved", "i32", 28],
      ["x", "f64", 32],
      ["x_token_stride", "f64", 40],
      ["x_head_stride", "f64", 48],
      ["positions", "f64", 56],
      ["inv_freq", "f64", 64],
    ],
  },
  {
    name: "fp_silu_and_mul_args",
    byteLength: 48,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_rows", "i32", 8],
      ["dim", "i32", 12],
      ["x", "f64", 16],
      ["x_row_stride", "f64", 24],
      ["out", "f64", 32],
      ["out_row_stride", "f64", 40],
    ],
  },
  {
    name: "fp_embedding_args",
    byteLength: 48,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_tokens", "i32", 8],
      ["vocab_size", "i32", 12],
      ["dim", "i32", 16],
      ["reserved", "i32", 20],
      ["ids", "f64", 24],
      ["table", "f64", 32],
      ["out", "f64", 40],
    ],
  },
  {
    name: "fp_linear_args",
    byteLength: 72,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["out_dtype", "i32", 8],
      ["num_rows", "i32", 12],
      ["in_dim", "i32", 16],
      ["out_dim", "i32", 20],
      ["x", "f64", 24],
      ["x_row_stride", "f64", 32],
      ["weight", "f64", 40],
      ["bias", "f64", 48],
      ["out", "f64", 56],
      ["out_row_stride", "f64", 64],
    ],
  },
  {
    name: "fp_argmax_args",
    byteLength: 40,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_rows", "i32", 8],
      ["vocab_size", "i32", 12],
      ["logits", "f64", 16],
      ["logits_row_stride", "f64", 24],
      ["out", "f64", 32],
    ],
  },
  {
    name: "fp_sampling_row",
    byteLength: 24,
    fields: [
      ["temperature", "f32", 0],
      ["top_k", "i32", 4],
      ["top_p", "f32", 8],
      ["seed_lo", "u32", 12],
      ["seed_hi", "u32", 16],
      ["step", "u32", 20],
    ],
  },
  {
    name: "fp_sample_args",
    byteLength: 48,
    fields: [
      ["struct_size", "u32", 0],
      ["dtype", "i32", 4],
      ["num_rows", "i32", 8],
      ["vocab_size", "i32", 12],
      ["logits", "f64", 16],
      ["logits_row_stride", "f64", 24],
      ["rows", "f64", 32],
      ["out", "f64", 40],
    ],
  },
];
