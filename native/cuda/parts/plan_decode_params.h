// plan_decode_params.h: what planning on the device is given. Plain C types: the launcher and the CPU backend include it too.
#pragma once
#include "attention_params.h"

namespace fp {

// A tile as the schedule sees it. Its unit, the work for one KV head, is walked in steps that end at multiples of kv_tile.
struct LineTile {
  long long cost_end;  // of one head's units, from the line's begin to the end of this tile
  int token_begin;
  int num_tokens;
  int num_steps;
  int kv_begin;  // what any row sees
  int kv_end;
  int free_begin;  // what every row sees: no mask needed between
  int free_end;
  // Of units that are spread, and of bundles:
  int num_pieces;     // of a unit
  int item_end;       // items up to the end of this tile, if they are in the order of tiles
  int merge_begin;    // first merge of its units
  int partial_begin;  // first entry of partials
  int row_begin;      // first workspace row
  // Of bundles only:
  int longest_piece;  // in steps
  int by_length;      // which tile has this one's place if those with the longest pieces come first
  int rank_begin;     // which of all pieces of one head, the longest first, this tile's first is
};

struct PlanDecodeParams {
  const int *qo_indptr;
  const int *page_indptr;
  const int *last_page_len;  // null: kv_lens says how long requests are
  int *kv_lens;
  const int *kv_indices;
  int *slots;  // null: not wanted
  int *positions;
  PlanHeader *header;
  RowTile *tiles;
  WorkItem *work;
  int *cta_begin;
  MergeItem *merges;
  int *partials;
  CtaStart *starts;  // [num_ctas]; null: not wanted
  LineTile *line;  // [max_requests], if that does not fit shared memory
  int max_requests;
  int max_tokens;
  int max_qo_len;
  int max_kv_indices;
  int page_size;
  int appends;
  int num_kv_heads;
  int group;
  int window_left;       // as in AttentionParams: causal makes window_right 0
  int window_right;
  int kv_tile;
  int step_cost;         // a step's KV tokens
  int item_cost;
  int partial_row_cost;
  int shares_bandwidth;
  int num_ctas;
  int max_tiles;
  int max_work_items;
  int max_merges;
  int max_partials;
  int max_partial_rows;
};

// fp_plan_status
enum PlanStatus {
  kPlanGood = 0,
  kPlanQoIndptr = 1,
  kPlanQoLen = 2,
  kPlanNumTokens = 3,
  kPlanPageIndptr = 4,
  kPlanNumPages = 5,
  kPlanLastPageLen = 6,
  kPlanKvLen = 7,
  kPlanCapacity = 8
};

constexpr int plan_max_kv_len = (1 << 30) - 1;
constexpr int plan_decode_threads = 512;
constexpr int plan_max_bundles = plan_decode_threads;
constexpr int plan_bundle_rounds = 3;
constexpr int plan_line_in_shared = 512;  // tiles whose LineTile fit in shared memory

}  // namespace fp
