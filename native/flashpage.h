/* flashpage.h: the only ABI between TypeScript and the native library.
 *
 * scripts/gen_ffi.ts reads this file and writes src/ffi/symbols.gen.ts, src/ffi/structs.gen.ts and
 * native/host/selftest.gen.h from it, so it keeps to a small subset of C:
 *   - `FP_API <return> fp_name(<type> <name>, ...);` with the types i32, u32, f32, f64, `fp_handle`, `fp_address`,
 *     `const void *` and `void *` (both a caller-owned typed array, or null), and the return types `fp_status` and `const char *`;
 *   - structs whose fields are i32, u32, f32, f64, fp_handle or fp_address, one a line, `struct_size` first if it is an argument;
 *   - enums whose members carry their value.
 *
 * Conventions
 *   - Every function returns a status; fp_last_error() has the text of this thread's last failure.
 *   - Handles and device addresses are f64: exact below 2^53, plain numbers in JavaScript. A handle is a table id with a
 *     generation, so a stale one is an error (FP_INVALID_HANDLE), never a crash. Address 0 means "absent".
 *   - Every operation is enqueued on a stream and returns at once, on the CPU too.
 *   - Every tensor range an operation touches must lie in memory from fp_memory_alloc or fp_memory_register.
 *   - Strides count elements of the tensor's dtype. The innermost dimension is contiguous.
 *   - LSE is the natural logarithm. An empty or fully masked row gives output 0 and LSE -infinity.
 */
#ifndef FLASHPAGE_H
#define FLASHPAGE_H
#include <stdint.h>

typedef int32_t i32;
typedef uint32_t u32;
typedef float f32;
typedef double f64;
typedef i32 fp_status;
typedef f64 fp_handle;
typedef f64 fp_address;

#if defined(__cplusplus)
#define FP_API extern "C" __attribute__((visibility("default")))
#else
#define FP_API __attribute__((visibility("default")))
#endif

#define FP_ABI_VERSION 3

enum fp_status_code {
  FP_OK = 0,
  FP_INVALID_ARGUMENT = 1,
  FP_INVALID_HANDLE = 2,
  FP_OUT_OF_MEMORY = 3,
  FP_NOT_SUPPORTED = 4,
  FP_UNAVAILABLE = 5, /* no driver, or no device of that kind */
  FP_DEVICE_ERROR = 6,
  FP_INTERNAL = 7,
  FP_NOT_READY = 8 /* a query or a download whose work has not ended: not a failure, sets no error text */
};

enum fp_device_kind {
  FP_DEVICE_CPU = 0,
  FP_DEVICE_CUDA = 1
};

enum fp_dtype {
  FP_F32 = 0,
  FP_F16 = 1,
  FP_BF16 = 2,
  FP_I32 = 3,
  FP_U8 = 4,
  FP_E4M3 = 5, /* 8 bits: sign, 4 of exponent, 3 of mantissa; to 448, no infinity, NaN is 0x7f and 0xff ("e4m3fn") */
  FP_E5M2 = 6  /* 8 bits: sign, 5 of exponent, 2 of mantissa: the upper half of an f16; to 57344 */
};

/* Rows of a tile: how many (token, query head) rows one work item holds at most. See fp_row_tile. */
enum fp_tile_class {
  FP_TILE_DECODE = 0, /* 16 rows: the warps of a CTA share the rows and split the KV tokens */
  FP_TILE_PREFILL = 1 /* 128 rows: the warps of a CTA split the rows and share the KV tokens */
};

/* ---- library ---- */

FP_API i32 fp_abi_version(void);
FP_API const char *fp_build_id(void);
FP_API const char *fp_last_error(void);
/* Reads struct `struct_id` (order of definition in this file) from `bytes` field by field, and writes each field as f64. */
FP_API fp_status fp_selftest_struct(i32 struct_id, const void *bytes, f64 num_bytes, void *fields, i32 num_fields);

/* ---- devices ---- */

struct fp_device_info {
  i32 kind;
  i32 ordinal;
  i32 num_processors;      /* SMs, or worker threads */
  i32 compute_capability;  /* 90 for sm_90; on the CPU 1 scalar, 2 AVX2, 3 AVX-512, 4 AMX, 10 NEON */
  i32 driver_version;      /* as cuDriverGetVersion; 0 on the CPU */
  i32 shared_memory_bytes; /* the most one CTA may use */
  f64 total_memory_bytes;
  f64 free_memory_bytes;
  f64 l2_cache_bytes;
};

struct fp_memory_usage {
  f64 allocated_bytes; /* live, by fp_memory_alloc */
  f64 peak_bytes;
  f64 num_allocations;
  f64 pending_bytes; /* freed, but still read by work enqueued earlier or held by a graph */
};

/* device: f64[1]. num_threads: worker threads of a CPU device, 0 for one a core; ignored by CUDA. */
FP_API fp_status fp_device_open(i32 kind, i32 ordinal, i32 num_threads, void *device);
/* Waits for the device's work, then ends everything that belongs to it. */
FP_API fp_status fp_device_close(fp_handle device);
FP_API fp_status fp_device_get_info(fp_handle device, void *info);
FP_API const char *fp_device_name(fp_handle device);
/* Blocks. For tests and exit paths; src/ polls events instead. */
FP_API fp_status fp_device_synchronize(fp_handle device);

/* ---- memory ---- */

/* address: f64[1]. Aligned to 256 bytes. num_bytes 0 is refused. */
FP_API fp_status fp_memory_alloc(fp_handle device, f64 num_bytes, void *address);
/* Never blocks: the memory goes back once all work enqueued so far, and every graph that captured it, is done with it. */
FP_API fp_status fp_memory_free(fp_handle device, fp_address address);
/* Declares memory that someone else owns, so that operations accept it. Unregister before its owner frees it. */
FP_API fp_status fp_memory_register(fp_handle device, fp_address address, f64 num_bytes);
FP_API fp_status fp_memory_unregister(fp_handle device, fp_address address);
FP_API fp_status fp_memory_get_usage(fp_handle device, void *usage);
/* The bytes of `source` are taken before the call returns. */
FP_API fp_status fp_memory_upload(fp_handle stream, fp_address target, const void *source, f64 num_bytes);
FP_API fp_status fp_memory_copy(fp_handle stream, fp_address target, fp_address source, f64 num_bytes);
FP_API fp_status fp_memory_fill(fp_handle stream, fp_address target, i32 byte_value, f64 num_bytes);
/* Starts a copy to the host; download: f64[1], a handle that fp_download_finish ends. */
FP_API fp_status fp_download_begin(fp_handle stream, fp_address source, f64 num_bytes, void *download);
/* FP_NOT_READY while the copy is under way; else copies the bytes into `target` and ends the handle. target null: gives it up. */
FP_API fp_status fp_download_finish(fp_handle download, void *target, f64 num_bytes);

/* ---- streams, events, graphs ---- */

FP_API fp_status fp_stream_create(fp_handle device, void *stream);
FP_API fp_status fp_stream_destroy(fp_handle stream);
FP_API fp_status fp_stream_wait_event(fp_handle stream, fp_handle event);
/* FP_OK if all work enqueued so far has ended, FP_NOT_READY if not, an error if it failed. */
FP_API fp_status fp_stream_query(fp_handle stream);
FP_API fp_status fp_event_create(fp_handle device, void *event);
FP_API fp_status fp_event_destroy(fp_handle event);
FP_API fp_status fp_event_record(fp_handle event, fp_handle stream);
FP_API fp_status fp_event_query(fp_handle event);
/* milliseconds: f64[1], between two events that have both happened. */
FP_API fp_status fp_event_elapsed(fp_handle start, fp_handle end, void *milliseconds);
FP_API fp_status fp_graph_begin_capture(fp_handle stream);
FP_API fp_status fp_graph_end_capture(fp_handle stream, void *graph);
FP_API fp_status fp_graph_launch(fp_handle graph, fp_handle stream);
FP_API fp_status fp_graph_destroy(fp_handle graph);

/* ---- the plan: what one attention launch does ----
 *
 * A plan is one i32 buffer on the device. It starts with fp_plan_header; the sections are found by the offsets in
 * fp_attention_args, which are fixed at planning capacity so that a captured graph can read any plan that fits.
 *
 *   tiles     fp_row_tile[]    query rows that share one page list
 *   work      fp_work_item[]   a tile x KV heads x a range of KV tokens, and where the result goes
 *   cta_begin i32[num_ctas+1]  CTA c walks work[cta_begin[c] .. cta_begin[c+1]): equal shares
 *                              The items behind those are a queue, of which whoever is free draws the next unit: first its pieces, each
 *                              an item of one KV head; then the units of its whole items, (KV head, item), head by head.
 *   merges    fp_merge_item[]  output rows that were split, and their partials in order
 *   partials  i32[]            first workspace row of each partial, listed by merges
 *   rows      fp_row_entry[]   gathered query tokens (rows of many requests that share KV)
 *   starts    fp_cta_start[num_ctas]  of CTAs that have one item: what else that needs at once; may be absent
 */

struct fp_plan_header {
  i32 num_tiles;
  i32 num_work_items;
  i32 num_ctas;
  i32 num_merges;
  i32 num_partial_rows; /* workspace rows this plan uses */
  i32 num_partials;
  i32 num_row_entries;
  i32 num_queued_pieces; /* see above: the queue is the last num_queued_pieces + num_queued_items work items */
  i32 num_queued_items;
  i32 queue_next; /* units drawn so far: 0 in a plan, counted up by a run, and 0 again at its end */
  i32 status;         /* fp_plan_status; not FP_PLAN_GOOD only by fp_plan_decode, and the plan then does nothing */
  i32 status_request; /* the request that status is about */
  i32 num_prefill_ctas; /* CTAs that draw from the queue, those of the lowest indices; 0 if the queue is empty */
  i32 start_gate;       /* 0; written by a run whose splits_sms is 1, read by nobody */
  i32 reserved0;
  i32 reserved1;
};

/* Packed rows: row r of a tile and a KV head h is query token r / group of the tile, query head h * group + r % group, where
 * group = num_qo_heads / num_kv_heads. A token is never split between tiles. */
struct fp_row_tile {
  i32 tile_class;       /* fp_tile_class */
  i32 token_begin;      /* first row of q; if gathered, first index into rows */
  i32 num_tokens;       /* num_tokens * group <= rows of the class */
  i32 gathered;         /* 1: tokens and positions come from rows */
  i32 qo_pos_begin;     /* logical position of the first token; the next token's is one higher (unused if gathered) */
  i32 page_begin;       /* index into kv_indices of the page that holds KV token 0 of the list */
  i32 kv_pos_begin;     /* logical position of KV token 0 of the list (the length of the prefix levels before it) */
  i32 kv_len;           /* KV tokens in the list */
  i32 mask_byte_begin;  /* first byte of the request's packed mask; -1: none */
  i32 mask_stride_bits; /* columns of that mask; bit = (mask_row_begin + token) * stride + kv_pos */
  i32 mask_row_begin;
  i32 reserved;
};

struct fp_work_item {
  i32 tile;
  i32 kv_head_begin;
  i32 num_kv_heads; /* walked one after another */
  i32 kv_begin;     /* range of KV tokens of the list; may be empty */
  i32 kv_end;
  i32 partial_row;  /* -1: the result is final. Else the first workspace row; the next KV head's rows follow at once */
  i32 needs_mask;   /* 0: every (row, token) pair of the range is visible, so no mask code need run */
  i32 merge;        /* of a piece whose merge is in_kernel: that merge; else -1 */
};

/* Rows token_begin .. + num_tokens of out (all query heads of kv_head) are the merge of the listed partials, in order.
 * Partial p's rows for them start at workspace row partials[partials_begin + p], packed as in fp_row_tile. */
struct fp_merge_item {
  i32 token_begin;
  i32 num_tokens;
  i32 kv_head;
  i32 partials_begin;
  i32 num_partials;
  i32 in_kernel; /* 1: on a GPU, the CTA that is the last to finish one of its num_partials pieces merges; 0: a launch of its own does */
  i32 arrivals;  /* pieces that are done: 0 in a plan, counted up by a run, and 0 again at its end */
  i32 reserved;
};

/* Of CTA c if its only item is work[c], and that one KV head of a decode tile with pages of multiples of 16 tokens: what the item's tile and page list say,
 * so that the CTA need not ask one after the other. Made of the page ids that kv_indices has when the plan is made: other ids need another plan. */
struct fp_cta_start {
  i32 token_begin;  /* of the tile */
  i32 num_tokens;   /* of the tile; 0: the plan does not say, and neither does the rest */
  i32 qo_pos_begin; /* of the tile */
  i32 page_begin;   /* of the tile */
  i32 page0;        /* ids of the pages of the list, from the one that holds kv_begin on; behind the item's last page, that */
  i32 page1;
  i32 page2;
  i32 page3;
  i32 page4;
  i32 page5;
  i32 page6;
  i32 page7;
};

struct fp_row_entry {
  i32 token;  /* row of q */
  i32 qo_pos; /* its logical position */
};

/* ---- a trace: when and where each work item ran ----
 *
 * A run adds a record for each work item, or for each unit of the queue, behind those that are there. The launch that merges has none.
 */

struct fp_trace_header {
  u32 num_records; /* written since it was last set to 0 */
  u32 num_dropped; /* for which there was no room */
  u32 reserved0;
  u32 reserved1;
};

struct fp_trace_record {
  i32 work_item;
  u32 kv_heads;  /* the first of them in the low 16 bits, their number in the high ones */
  u32 processor; /* SM; worker thread on the CPU */
  u32 cta;       /* of its launch: that of shares, or that which draws from the queue */
  u32 begin_low; /* nanoseconds of the device's clock, 64 bits */
  u32 begin_high;
  u32 end_low;
  u32 end_high;
};

/* ---- attention ---- */

/* What the planner must know of a device's kernels. */
struct fp_attention_limits {
  u32 struct_size;
  i32 num_ctas;         /* CTAs that run at once */
  i32 decode_rows;      /* rows of FP_TILE_DECODE */
  i32 prefill_rows;     /* rows of FP_TILE_PREFILL */
  i32 decode_kv_tile;   /* KV tokens per step: cut points of splits are multiples of it */
  i32 prefill_kv_tile;
  i32 prefill_ctas;     /* CTAs that draw prefill tiles from the queue; 0: prefill tiles belong into the shares */
  i32 reads_starts;     /* 1: a kernel for decode tiles looks at fp_cta_start; 0: a plan need have none */
};

/* dtypes and head dims as in fp_attention_args; FP_NOT_SUPPORTED names what is. */
FP_API fp_status fp_attention_get_limits(fp_handle device, i32 q_dtype, i32 dtype, i32 kv_dtype, i32 head_dim_qk, i32 head_dim_vo, i32 group_size, void *limits);

struct fp_attention_args {
  u32 struct_size;
  i32 q_dtype;         /* of q: dtype, or FP_E4M3 beside keys and values of FP_E4M3 */
  i32 dtype;           /* of out: FP_BF16, FP_F16; FP_F32 on the CPU */
  i32 kv_dtype;        /* of k and v: dtype, FP_E4M3 or FP_E5M2; with those, on CUDA, head dims of 64, 128, 192 and 256 */
  i32 num_tokens;      /* rows of q */
  i32 num_qo_heads;    /* a multiple of num_kv_heads; group 1..64 */
  i32 num_kv_heads;
  i32 head_dim_qk;     /* 64, 96, 128, 192, 256 */
  i32 head_dim_vo;
  i32 page_size;       /* 1..1024 KV tokens */
  i32 num_pages;       /* pages in k and v */
  i32 num_kv_indices;
  i32 causal;          /* 1: kv_pos <= qo_pos */
  i32 window_left;     /* kv_pos >= qo_pos - window_left; -1: unlimited */
  i32 window_right;    /* kv_pos <= qo_pos + window_right; -1: unlimited */
  f32 sm_scale;        /* score = sm_scale * (q . k) */
  f32 logits_soft_cap; /* > 0: score = cap * tanh(score / cap), before the mask */
  f32 q_scale;         /* an FP8 query is its element * q_scale * q_head_scales[head]; 1 if q is not FP8 */
  f32 k_scale;         /* an FP8 key is its element * k_scale * k_head_scales[head]; 1 if k is not FP8 */
  f32 v_scale;         /* the same of values */
  i32 num_ctas;
  i32 max_tiles;       /* capacities, for bounds checks: a section's entries, not bytes */
  i32 max_work_items;
  i32 max_merges;
  i32 max_partials;
  i32 max_row_entries;
  i32 max_partial_rows;
  i32 tiles_offset;    /* offsets into plan, in i32 units */
  i32 work_offset;
  i32 cta_begin_offset;
  i32 merges_offset;
  i32 partials_offset;
  i32 rows_offset;
  i32 tile_classes;    /* bit c set: the plan has tiles of class c */
  i32 launches_merges; /* 1: the plan has merges that are not in_kernel */
  i32 splits_sms;      /* 1: shares and queue may be laid for SMs of their own each, so their kernels should run at the same time */
  i32 trace_capacity;  /* records that trace has room for; unused without one */
  i32 batch_invariant; /* 1: which kernels run must not depend on the batch, since their bits may differ */
  i32 starts_offset;   /* 0: the plan has no starts */
  fp_address q;        /* [num_tokens, num_qo_heads, head_dim_qk] */
  f64 q_token_stride;
  f64 q_head_stride;
  fp_address k;        /* page p, token t of the page, head h at p * page_stride + t * token_stride + h * head_stride */
  f64 k_page_stride;
  f64 k_token_stride;
  f64 k_head_stride;
  fp_address v;
  f64 v_page_stride;
  f64 v_token_stride;
  f64 v_head_stride;
  fp_address q_head_scales; /* f32 [num_qo_heads], positive; 0: all 1 */
  fp_address k_head_scales; /* f32 [num_kv_heads], positive; 0: all 1 */
  fp_address v_head_scales;
  fp_address out;      /* [num_tokens, num_qo_heads, head_dim_vo] */
  f64 out_token_stride;
  f64 out_head_stride;
  fp_address lse;      /* f32 [num_tokens, num_qo_heads], contiguous; 0: not wanted */
  fp_address kv_indices; /* i32 [num_kv_indices]: page ids; every page list is a run of it */
  fp_address custom_mask; /* u8 [custom_mask_bytes], bits little-endian; 0: none */
  f64 custom_mask_bytes;
  fp_address plan;     /* i32 [plan_bytes / 4] */
  f64 plan_bytes;
  fp_address workspace; /* f32 [max_partial_rows, head_dim_vo] outputs, then f32 [max_partial_rows] LSE */
  f64 workspace_bytes;
  fp_address trace;    /* fp_trace_header, then fp_trace_record[trace_capacity]; a multiple of 16; 0: none */
};

FP_API fp_status fp_attention_run(fp_handle stream, const void *args);

/* ---- planning on the device ----
 *
 * Writes the plan of a batch whose lengths and page table lie on the device, word for word as the host's planner would: one row of pages for
 * each request, decode tiles only. So a graph that holds this and fp_attention_run serves every batch within the capacity.
 *
 * What it reads may be anything. A batch that contradicts itself or goes beyond a capacity gives a plan that does nothing, with a status other than
 * FP_PLAN_GOOD; requests are checked in order, each in the order of fp_plan_status, and the first that is wrong is named.
 */

enum fp_plan_status {
  FP_PLAN_GOOD = 0,
  FP_PLAN_QO_INDPTR = 1,     /* qo_indptr does not start with 0, or falls */
  FP_PLAN_QO_LEN = 2,        /* more than max_qo_len query tokens in a request */
  FP_PLAN_NUM_TOKENS = 3,    /* more than max_tokens query tokens up to the end of a request */
  FP_PLAN_PAGE_INDPTR = 4,   /* page_indptr does not start with 0, or falls */
  FP_PLAN_NUM_PAGES = 5,     /* more than max_kv_indices page ids up to the end of a request */
  FP_PLAN_LAST_PAGE_LEN = 6, /* not 1 .. page_size, or not 0 without pages */
  FP_PLAN_KV_LEN = 7,        /* more than 2^30 - 1 KV tokens; with kv_lens also less than 0, or more than the pages hold */
  FP_PLAN_CAPACITY = 8       /* more tiles, items, merges, partials or partial rows than there is room for; status_request is 0 */
};

struct fp_plan_decode_args {
  u32 struct_size;
  i32 max_requests;      /* entries of last_page_len or kv_lens. A request without query tokens has no tile: the end of a smaller batch is such */
  i32 max_tokens;        /* query tokens of a batch, at most */
  i32 max_qo_len;        /* query tokens of a request, at most: max_qo_len * group_size <= rows of FP_TILE_DECODE */
  i32 group_size;        /* query heads a KV head; 1..64 */
  i32 num_kv_heads;
  i32 page_size;
  i32 max_kv_indices;    /* page ids of a batch, at most */
  i32 causal;            /* as in fp_attention_args */
  i32 window_left;
  i32 window_right;
  i32 kv_tile;           /* decode_kv_tile of fp_attention_limits */
  i32 token_cost;        /* of the cost model: one KV token, */
  i32 item_cost;         /* an item, */
  i32 partial_row_cost;  /* and a row of a partial */
  i32 shares_bandwidth;  /* 1: CTAs without work leave their part of memory's rate to the others (CostModel of src/planner/cost.ts) */
  i32 appends;           /* 1: kv_lens[r] first grows by the request's query tokens, unless the batch is refused */
  i32 num_ctas;          /* the plan's layout, as in fp_attention_args */
  i32 max_tiles;
  i32 max_work_items;
  i32 max_merges;
  i32 max_partials;
  i32 max_partial_rows;
  i32 tiles_offset;
  i32 work_offset;
  i32 cta_begin_offset;
  i32 merges_offset;
  i32 partials_offset;
  i32 starts_offset;     /* 0: none are wanted */
  i32 reserved;          /* 0 */
  fp_address qo_indptr;     /* i32 [max_requests + 1]: first query token of each request */
  fp_address page_indptr;   /* i32 [max_requests + 1]: first page id of each request */
  fp_address last_page_len; /* i32 [max_requests]: KV tokens in the last page, which is the last of the row. Give this, or kv_lens */
  fp_address kv_lens;       /* i32 [max_requests]: KV tokens; the row may have more pages than they fill. 0: absent */
  fp_address kv_indices;    /* i32 [max_kv_indices]: page ids; read for slots and starts */
  fp_address slots;         /* i32 [max_tokens], written: where fp_kv_append puts each query token's K and V; -1 behind the batch. 0: not wanted */
  fp_address positions;     /* i32 [max_tokens], written: position of each query token; 0 behind the batch. 0: not wanted */
  fp_address plan;          /* i32 [plan_bytes / 4], written */
  f64 plan_bytes;
};

FP_API fp_status fp_plan_decode(fp_handle stream, const void *args);

/* out, lse = merge of `num_states` attention states over disjoint KV, in order. FlashInfer paper, section 2.2. */
struct fp_merge_states_args {
  u32 struct_size;
  i32 dtype;      /* of states and out: F32, F16, BF16 */
  i32 num_rows;   /* tokens x heads */
  i32 num_states;
  i32 head_dim;
  i32 reserved;
  fp_address states;     /* [num_states, num_rows, head_dim] */
  fp_address states_lse; /* f32 [num_states, num_rows] */
  fp_address out;        /* [num_rows, head_dim] */
  fp_address lse;        /* f32 [num_rows]; 0: not wanted */
};

FP_API fp_status fp_merge_states(fp_handle stream, const void *args);

/* ---- paged KV cache ---- */

struct fp_kv_append_args {
  u32 struct_size;
  i32 dtype;            /* of k and v */
  i32 cache_dtype;      /* dtype, or FP8: x / scale is stored, rounded to nearest even, what is too large as the largest finite number */
  i32 num_tokens;
  i32 num_kv_heads;
  i32 head_dim_qk;
  i32 head_dim_vo;
  i32 page_size;
  i32 num_pages;
  i32 rotary_dim;       /* 0: no RoPE, as it must be if k is FP8; else even and <= head_dim_qk; applied to k only, before it is scaled */
  i32 rope_interleaved; /* 1: pairs (2i, 2i+1); 0: pairs (i, i + rotary_dim / 2) */
  f32 k_scale;          /* scales as in fp_attention_args; rows that are FP8 already are stored as they are */
  f32 v_scale;
  i32 reserved;
  fp_address k;         /* new keys [num_tokens, num_kv_heads, head_dim_qk] */
  f64 k_token_stride;
  f64 k_head_stride;
  fp_address v;         /* new values [num_tokens, num_kv_heads, head_dim_vo] */
  f64 v_token_stride;
  f64 v_head_stride;
  fp_address k_cache;
  f64 k_page_stride;
  f64 k_cache_token_stride;
  f64 k_cache_head_stride;
  fp_address v_cache;
  f64 v_page_stride;
  f64 v_cache_token_stride;
  f64 v_cache_head_stride;
  fp_address k_head_scales; /* f32 [num_kv_heads]; 0: all 1. Where one, or its product with k_scale, is not positive and finite, the CPU's work fails; CUDA stores NaN for that head */
  fp_address v_head_scales;
  fp_address slots;     /* i32 [num_tokens]: page * page_size + token of the page; < 0: the token is not written */
  fp_address positions; /* i32 [num_tokens], for RoPE; 0 without */
  fp_address inv_freq;  /* f32 [rotary_dim / 2], radians per position, scaling included; 0 without RoPE */
};

FP_API fp_status fp_kv_append(fp_handle stream, const void *args);

struct fp_kv_copy_pages_args {
  u32 struct_size;
  i32 dtype; /* of the caches */
  i32 num_copies;
  i32 num_kv_heads;
  i32 head_dim_qk;
  i32 head_dim_vo;
  i32 page_size;
  i32 num_pages;
  fp_address k_cache;
  f64 k_page_stride;
  f64 k_cache_token_stride;
  f64 k_cache_head_stride;
  fp_address v_cache;
  f64 v_page_stride;
  f64 v_cache_token_stride;
  f64 v_cache_head_stride;
  fp_address pairs; /* i32 [num_copies, 2]: source page, target page; targets are distinct and no page is both */
};

FP_API fp_status fp_kv_copy_pages(fp_handle stream, const void *args);

/* ---- what a model needs around attention ---- */

/* residual given: residual += x, then out = norm(residual). Else out = norm(x). norm(x) = x / sqrt(mean(x^2) + eps) * weight. */
struct fp_rms_norm_args {
  u32 struct_size;
  i32 dtype;
  i32 num_rows;
  i32 dim;
  f32 eps;
  i32 reserved;
  fp_address x;        /* [num_rows, dim] */
  f64 x_row_stride;
  fp_address residual; /* [num_rows, dim], read and written; 0: none */
  f64 residual_row_stride;
  fp_address weight;   /* [dim] */
  fp_address out;      /* [num_rows, dim]; may be x */
  f64 out_row_stride;
};

FP_API fp_status fp_rms_norm(fp_handle stream, const void *args);

/* Rotates x in place. */
struct fp_rope_args {
  u32 struct_size;
  i32 dtype;
  i32 num_tokens;
  i32 num_heads;
  i32 head_dim;
  i32 rotary_dim;
  i32 interleaved; /* as rope_interleaved of fp_kv_append_args */
  i32 reserved;
  fp_address x;    /* [num_tokens, num_heads, head_dim] */
  f64 x_token_stride;
  f64 x_head_stride;
  fp_address positions; /* i32 [num_tokens] */
  fp_address inv_freq;  /* f32 [rotary_dim / 2] */
};

FP_API fp_status fp_rope(fp_handle stream, const void *args);

/* out = silu(x[:, :dim]) * x[:, dim:] */
struct fp_silu_and_mul_args {
  u32 struct_size;
  i32 dtype;
  i32 num_rows;
  i32 dim;
  fp_address x;   /* [num_rows, 2 * dim] */
  f64 x_row_stride;
  fp_address out; /* [num_rows, dim] */
  f64 out_row_stride;
};

FP_API fp_status fp_silu_and_mul(fp_handle stream, const void *args);

struct fp_embedding_args {
  u32 struct_size;
  i32 dtype;
  i32 num_tokens;
  i32 vocab_size;
  i32 dim;
  i32 reserved;
  fp_address ids;   /* i32 [num_tokens]; an id outside the vocabulary gives a row of zeros */
  fp_address table; /* [vocab_size, dim] */
  fp_address out;   /* [num_tokens, dim] */
};

FP_API fp_status fp_embedding(fp_handle stream, const void *args);

/* out = x . weight^T + bias, accumulated in f32 */
struct fp_linear_args {
  u32 struct_size;
  i32 dtype;     /* of x, weight and bias */
  i32 out_dtype; /* dtype, or FP_F32 */
  i32 num_rows;  /* m */
  i32 in_dim;    /* k */
  i32 out_dim;   /* n */
  fp_address x;      /* [m, k] */
  f64 x_row_stride;
  fp_address weight; /* [n, k], contiguous */
  fp_address bias;   /* [n]; 0: none */
  fp_address out;    /* [m, n] */
  f64 out_row_stride;
};

FP_API fp_status fp_linear(fp_handle stream, const void *args);

/* The lowest index wins a tie; NaN counts as -infinity. */
struct fp_argmax_args {
  u32 struct_size;
  i32 dtype;
  i32 num_rows;
  i32 vocab_size;
  fp_address logits; /* [num_rows, vocab_size] */
  f64 logits_row_stride;
  fp_address out;    /* i32 [num_rows] */
};

FP_API fp_status fp_argmax(fp_handle stream, const void *args);

/* One row's sampling parameters. The uniform number is word 0 of Philox4x32-10 with key (seed_lo, seed_hi) and
 * counter (step, 0, 0, 0), times 2^-32. Kept are the top_k largest logits (ties by lower index), of them the smallest set, most
 * probable first, whose probability reaches top_p; the draw walks the kept tokens in index order. temperature 0: argmax. */
struct fp_sampling_row {
  f32 temperature;
  i32 top_k; /* 0: all */
  f32 top_p; /* 1: all */
  u32 seed_lo;
  u32 seed_hi;
  u32 step;
};

struct fp_sample_args {
  u32 struct_size;
  i32 dtype;
  i32 num_rows;
  i32 vocab_size;
  fp_address logits; /* [num_rows, vocab_size] */
  f64 logits_row_stride;
  fp_address rows;   /* fp_sampling_row [num_rows] */
  fp_address out;    /* i32 [num_rows] */
};

FP_API fp_status fp_sample(fp_handle stream, const void *args);

#endif
