// attention_params.h: what the attention and merge kernels are given. Plain C types: the launcher includes it too.
#pragma once

namespace fp {

// The plan's entries as flashpage.h lays them out (fp_row_tile and so on, where the fields are explained); the launcher asserts
// that they match.
struct PlanHeader {
  int num_tiles;
  int num_work_items;
  int num_ctas;
  int num_merges;
  int num_partial_rows;
  int num_partials;
  int num_row_entries;
  int num_queued_pieces;
  int num_queued_items;
  int queue_next;
  int status;
  int status_request;
  int num_prefill_ctas;
  int start_gate;
  int reserved[2];
};

struct RowTile {
  int tile_class;
  int token_begin;
  int num_tokens;
  int gathered;
  int qo_pos_begin;
  int page_begin;
  int kv_pos_begin;
  int kv_len;
  int mask_byte_begin;
  int mask_stride_bits;
  int mask_row_begin;
  int reserved;
};

struct WorkItem {
  int tile;
  int kv_head_begin;
  int num_kv_heads;
  int kv_begin;
  int kv_end;
  int partial_row;
  int needs_mask;
  int merge;
};

struct MergeItem {
  int token_begin;
  int num_tokens;
  int kv_head;
  int partials_begin;
  int num_partials;
  int in_kernel;
  int arrivals;
  int reserved;
};

constexpr int start_pages = 8;
// Pages of which CtaStart knows hold whole chunks of so many tokens.
constexpr int start_page_tokens = 16;

struct CtaStart {
  int token_begin;
  int num_tokens;
  int qo_pos_begin;
  int page_begin;
  int pages[start_pages];
};

struct RowEntry {
  int token;
  int qo_pos;
};

struct TraceHeader {
  unsigned num_records;
  unsigned num_dropped;
  unsigned reserved[2];
};

enum TileClass { kDecodeTile = 0, kPrefillTile = 1 };

// A divisor known at launch: n / d = (umulhi(2 n, multiplier) >> shift) for 0 <= n < 2^31.
struct Divisor {
  unsigned divisor;
  unsigned multiplier;
  unsigned shift;
};

// With 2^(s-1) < d <= 2^s and m = floor(2^(31+s) / d) + 1, n m / 2^(31+s) lies above n / d by less than 2^-s <= 1 / d, so its
// floor is that of n / d.
inline Divisor make_divisor(unsigned d) {
  unsigned s = 0;
  while ((1u << s) < d) ++s;
  return {d, static_cast<unsigned>((1ull << (31 + s)) / d + 1), s};
}

// What unlimited windows become: positions stay below 2^30, so that sums of two fit an int.
constexpr int unlimited_window = 1 << 30;

// Where the plan has what a CTA asks for first (CtaWords), in words from the header on.
struct CtaPlaces {
  int work;
  int cta_begin;
  int starts;
  int start_words;  // of a CtaStart; 0: there are none, and `starts` is 0
};

// A constant's first read costs some 100 clocks for each line of 64 bytes. So what a decode tile asks for first is side by side: with PrefillParams90's
// words about places one line up to by_page, and a second one up to by_group.
struct AttentionParams {
  const PlanHeader *header;
  CtaPlaces cta_places;
  int num_ctas;
  int max_work_items;
  int num_pages;     // 0: there is no KV at all
  Divisor by_page;   // KV tokens of a page

  // Strides of q and out count bytes, those of a page and a token of it too, and fit 32 bits.
  const char *q;  // [num_tokens, num_qo_heads, head_dim_qk]
  long long q_token_bytes;
  long long q_head_bytes;
  int num_tokens;
  int num_qo_heads;
  int num_kv_heads;
  int group;         // query heads a KV head
  int max_tiles;
  Divisor by_group;

  Divisor by_qo_heads;
  const RowTile *tiles;
  const WorkItem *work;
  const MergeItem *merges;
  const int *partials;
  const RowEntry *rows;
  int max_merges;
  int max_partials;
  int max_row_entries;
  int max_partial_rows;
  // Side by side: apart, the kernels that gather rows by these need registers that they don't have.
  int num_kv_indices;
  const int *kv_indices;

  const char *k;  // page, token, head
  const char *v;
  char *out;      // [num_tokens, num_qo_heads, head_dim_vo]
  float *lse;     // [num_tokens, num_qo_heads], or null
  float *partial_out;  // [max_partial_rows, head_dim_vo]
  float *partial_lse;  // [max_partial_rows]
  long long out_token_bytes;
  long long out_head_bytes;
  long long k_head_bytes;
  long long v_head_bytes;
  unsigned k_page_bytes;
  unsigned k_token_bytes;
  unsigned v_page_bytes;
  unsigned v_token_bytes;

  const unsigned char *mask;  // packed bits, or null
  long long mask_bytes;

  // Visible: qo_pos - window_left <= kv_pos <= qo_pos + window_right. Causal makes window_right 0.
  int window_left;
  int window_right;
  // The weight of a score x = q . k is 2^(score_scale x - max). With a soft cap, x becomes tanh(cap_scale x) first.
  float score_scale;
  float cap_scale;  // 0: no soft cap

  // Of K and V in FP8: an element of head h means itself times scale times head_scales[h], if there are any.
  int kv_is_e5m2;
  float k_scale;
  float v_scale;
  const float *k_head_scales;
  const float *v_head_scales;
  // Of queries in FP8, likewise; their other scale is in k_scale.
  const float *q_head_scales;

  TraceHeader *trace;  // null: none; the records follow it (fp_trace_record)
  int trace_capacity;
};

struct MergeStatesParams {
  const char *states;       // [num_states, num_rows, head_dim]
  const float *states_lse;  // [num_states, num_rows]
  char *out;                // [num_rows, head_dim]
  float *lse;               // [num_rows], or null
  int num_rows;
  int num_states;
  int head_dim;
};

}  // namespace fp
