// plan_line.h: the arithmetic of a plan of decode tiles (src/planner/tiles.ts, equal_pieces.ts, spread.ts, bundles.ts, shares.ts, schedule.ts) as functions of one request, one share or one item, so that
// threads can do them side by side. Plain C++: the kernel and the CPU backend plan by the same.
#pragma once
#include "plan_decode_params.h"

#if defined(__CUDACC_RTC__)
#define FP_PLAN_FUNCTION __device__ __forceinline__
#else
#define FP_PLAN_FUNCTION inline
#endif

namespace fp {

FP_PLAN_FUNCTION int smaller_of(int a, int b) { return a < b ? a : b; }
FP_PLAN_FUNCTION int larger_of(int a, int b) { return a > b ? a : b; }
FP_PLAN_FUNCTION int divide_up_steps(int a, int b) { return a / b + (a % b != 0 ? 1 : 0); }

// The index into kv_indices of the page that holds position `pos` of a request; -1 if there is none.
FP_PLAN_FUNCTION int page_entry_of(const PlanDecodeParams &p, int page_begin, int pos) {
  if (pos < 0) return -1;
  const long long entry = static_cast<long long>(page_begin) + pos / p.page_size;
  return entry >= 0 && entry < p.max_kv_indices ? static_cast<int>(entry) : -1;
}

// One request as its arrays say.
struct PlanRequest {
  int token_begin;
  int num_tokens;
  int page_begin;
  int kv_len;
  int status;  // PlanStatus; if it is not good, the rest means nothing

  FP_PLAN_FUNCTION PlanRequest(const PlanDecodeParams &p, int r) : token_begin(p.qo_indptr[r]), num_tokens(0), page_begin(p.page_indptr[r]), kv_len(0), status(kPlanGood) {
    const int token_end = p.qo_indptr[r + 1];
    const int page_end = p.page_indptr[r + 1];
    const int length = p.last_page_len != nullptr ? p.last_page_len[r] : p.kv_lens[r];
    const long long tokens = static_cast<long long>(token_end) - token_begin;
    const long long pages = static_cast<long long>(page_end) - page_begin;
    long long tokens_of_kv = length;
    if (p.last_page_len != nullptr) tokens_of_kv = pages > 0 ? (pages - 1) * p.page_size + length : 0;
    if (p.appends) tokens_of_kv += tokens;
    if (tokens < 0 || token_begin < 0 || (r == 0 && token_begin != 0)) {
      status = kPlanQoIndptr;
    } else if (tokens > p.max_qo_len) {
      status = kPlanQoLen;
    } else if (token_end > p.max_tokens) {
      status = kPlanNumTokens;
    } else if (pages < 0 || page_begin < 0 || (r == 0 && page_begin != 0)) {
      status = kPlanPageIndptr;
    } else if (page_end > p.max_kv_indices) {
      status = kPlanNumPages;
    } else if (p.last_page_len != nullptr && (pages == 0 ? length != 0 : length < 1 || length > p.page_size)) {
      status = kPlanLastPageLen;
    } else if (tokens_of_kv > plan_max_kv_len || (p.last_page_len == nullptr && (length < 0 || tokens_of_kv > pages * p.page_size))) {
      status = kPlanKvLen;
    } else {
      num_tokens = static_cast<int>(tokens);
      kv_len = static_cast<int>(tokens_of_kv);
    }
  }

  FP_PLAN_FUNCTION int page_entry(const PlanDecodeParams &p, int pos) const { return page_entry_of(p, page_begin, pos); }

  FP_PLAN_FUNCTION RowTile tile() const { return {kDecodeTile, token_begin, num_tokens, 0, kv_len - num_tokens, page_begin, 0, kv_len, -1, 0, 0, 0}; }
};

// The slot of position `pos` in page `page`; -1 if no slot has that number.
FP_PLAN_FUNCTION int slot_of(const PlanDecodeParams &p, int page, int pos) {
  const long long slot = static_cast<long long>(page) * p.page_size + pos % p.page_size;
  return page >= 0 && slot <= 0x7fffffff ? static_cast<int>(slot) : -1;
}

FP_PLAN_FUNCTION long long unit_cost(const PlanDecodeParams &p, const LineTile &tile) { return p.item_cost + static_cast<long long>(tile.num_steps) * p.step_cost; }

// What a tile's rows see, and how many steps that is.
FP_PLAN_FUNCTION LineTile line_tile(const PlanDecodeParams &p, const PlanRequest &request) {
  const int kv_len = request.kv_len;
  const int first = kv_len - request.num_tokens, last = kv_len - 1;  // positions of the queries
  LineTile tile{};
  tile.token_begin = request.token_begin;
  tile.num_tokens = request.num_tokens;
  tile.kv_begin = larger_of(0, first - p.window_left);
  tile.kv_end = smaller_of(kv_len, last + p.window_right + 1);
  tile.free_begin = larger_of(0, smaller_of(kv_len, last - p.window_left));
  tile.free_end = larger_of(0, smaller_of(kv_len, first + p.window_right + 1));
  if (tile.kv_begin < tile.kv_end) {
    tile.num_steps = (tile.kv_end - 1) / p.kv_tile + 1 - tile.kv_begin / p.kv_tile;
  } else {
    tile.kv_begin = tile.kv_end = 0;
  }
  return tile;
}

// The KV token at which step `step` begins.
FP_PLAN_FUNCTION int kv_of_step(const PlanDecodeParams &p, const LineTile &tile, int step) {
  return step == 0 ? tile.kv_begin : step == tile.num_steps ? tile.kv_end : (tile.kv_begin / p.kv_tile + step) * p.kv_tile;
}

// The fewest steps that are worth a piece of their own (minStepsOfPiece of src/planner/cost.ts).
FP_PLAN_FUNCTION int min_steps(const PlanDecodeParams &p, const LineTile &tile) {
  return larger_of(1, divide_up_steps(p.item_cost + p.partial_row_cost * tile.num_tokens * p.group, p.step_cost));
}

// An item of `num_heads` whole units, or of steps [step_begin, step_end) of one.
FP_PLAN_FUNCTION WorkItem work_item(const PlanDecodeParams &p, const LineTile &tile, int tile_index, int head, int num_heads, int step_begin, int step_end, int partial_row,
                                    int merge) {
  const int begin = kv_of_step(p, tile, step_begin), end = kv_of_step(p, tile, step_end);
  const bool is_free = begin == end || (begin >= tile.free_begin && end <= tile.free_end);
  return {tile_index, head, num_heads, begin, end, partial_row, is_free ? 0 : 1, merge};
}

// What the plan says of a CTA whose only item is `item`, of one KV head; nothing if the item is empty, or pages are no multiples of 16 tokens.
FP_PLAN_FUNCTION CtaStart cta_start(const PlanDecodeParams &p, const RowTile &tile, const WorkItem &item) {
  CtaStart start{};
  if (item.kv_begin >= item.kv_end || p.page_size % start_page_tokens != 0) return start;
  start.token_begin = tile.token_begin;
  start.num_tokens = tile.num_tokens;
  start.qo_pos_begin = tile.qo_pos_begin;
  start.page_begin = tile.page_begin;
  const int first = item.kv_begin / p.page_size, last = (item.kv_end - 1) / p.page_size;
  for (int i = 0; i < start_pages; i++) start.pages[i] = p.kv_indices[tile.page_begin + smaller_of(first + i, last)];
  return start;
}

// The first tile whose end, as `end_of` gives it, lies beyond `place`; the last tile if none does.
template <typename EndOf>
FP_PLAN_FUNCTION int tile_at(int num_tiles, long long place, const EndOf &end_of) {
  int low = 0, high = num_tiles - 1;
  while (low < high) {
    const int middle = (low + high) >> 1;
    if (place < end_of(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Steps of one head's units of all tiles.
FP_PLAN_FUNCTION long long total_steps(const PlanDecodeParams &p, int num_tiles, long long cost) {
  return (cost - static_cast<long long>(num_tiles) * p.item_cost) / p.step_cost;
}

// ---- units that are spread: one piece a CTA ----

// What the search for the length of pieces begins with.
struct SpreadSearch {
  int most_pieces;  // of one head's units of all tiles
  int equal;        // steps of a piece if all were equal: none is shorter
  bool may_spread;

  FP_PLAN_FUNCTION SpreadSearch(const PlanDecodeParams &p, int num_tiles, long long steps) : most_pieces(p.num_ctas / p.num_kv_heads), equal(1), may_spread(false) {
    if (!p.shares_bandwidth || num_tiles > most_pieces) return;
    may_spread = true;
    const long long wanted = (steps + most_pieces - 1) / larger_of(1, most_pieces);
    if (wanted > 1) equal = static_cast<int>(wanted);
  }

  // Pieces may be 1.75 times as long as equal shares would be.
  FP_PLAN_FUNCTION bool is_even(int longest) const { return 4ll * longest <= 7ll * equal; }
};

// Pieces of a tile's unit, none longer than `longest` steps.
FP_PLAN_FUNCTION int num_pieces(const LineTile &tile, int longest) { return tile.num_steps <= longest ? 1 : divide_up_steps(tile.num_steps, longest); }

// The step at which a piece of a tile's unit begins; of piece num_pieces, the end.
FP_PLAN_FUNCTION int step_of_piece(const LineTile &tile, int piece) {
  if (piece == 0 || piece == tile.num_pieces) return piece == 0 ? 0 : tile.num_steps;
  return static_cast<int>(static_cast<long long>(piece) * tile.num_steps / tile.num_pieces);
}

// ---- bundles: up to three whole units a CTA, long ones with short ones, or equal pieces of the longest ----

// The pieces of all units of a head are dealt out in rounds, the longest first: in each round every bundle gets one, the shortest bundle the longest. A CTA
// has one head of a bundle.
struct Bundles {
  int num_bundles;
  int most_pieces;  // of one head's units of all tiles
  int equal;        // steps of an equal share: no piece is longer
  long long most_steps;  // of a bundle
  bool may_bundle;

  FP_PLAN_FUNCTION Bundles(const PlanDecodeParams &p, int num_tiles, long long steps) : num_bundles(p.num_ctas / p.num_kv_heads), most_pieces(0), equal(1), most_steps(0), may_bundle(false) {
    const int heads = p.num_kv_heads;
    const long long room = num_tiles + static_cast<long long>(smaller_of(3, heads)) * (p.num_ctas - 1);
    most_pieces = smaller_of(plan_bundle_rounds * num_bundles, static_cast<int>(room / heads));
    const long long share = (steps * heads + p.num_ctas - 1) / p.num_ctas;
    if (share > 1) equal = static_cast<int>(share);
    most_steps = 11 * steps * heads / (10ll * p.num_ctas) + 4;
    may_bundle = p.shares_bandwidth && num_tiles <= most_pieces && num_bundles > 0 && num_bundles <= plan_max_bundles;
  }

  // Says how many pieces a tile's units have. False: they are too short to be worth it.
  FP_PLAN_FUNCTION bool cut(const PlanDecodeParams &p, LineTile &tile) const {
    tile.num_pieces = num_pieces(tile, equal);
    tile.longest_piece = tile.num_pieces == 1 ? tile.num_steps : divide_up_steps(tile.num_steps, tile.num_pieces);
    return tile.num_pieces == 1 || tile.num_steps / tile.num_pieces >= min_steps(p, tile);
  }

  FP_PLAN_FUNCTION int num_rounds(int num_pieces_of_all) const { return divide_up_steps(num_pieces_of_all, num_bundles); }
};

// ---- equal shares ----

// Where a share ends: before step `step` of a head's unit. step 0: between two units; head may be num_kv_heads then.
struct LineCut {
  int tile;
  int head;
  int step;
};

// The line and its shares: share s ends at cost floor((s + 1) total / num_shares). Units that are all alike are not cut if whole ones keep nine tenths of the
// CTAs busy: the line then counts as long as all shares of so many units are, and the last one has what is left.
struct LineShares {
  int num_tiles;
  int num_shares;
  long long quotient;
  int remainder;

  FP_PLAN_FUNCTION LineShares(const PlanDecodeParams &p, int tiles, bool are_alike, long long cost) : num_tiles(tiles), num_shares(p.num_ctas) {
    const long long units = static_cast<long long>(tiles) * p.num_kv_heads;
    long long total = cost * p.num_kv_heads;
    if (p.shares_bandwidth && are_alike && units > p.num_ctas) {
      const long long units_of_share = (units + p.num_ctas - 1) / p.num_ctas;
      const long long whole = (units + units_of_share - 1) / units_of_share;
      if (10 * whole >= 9ll * p.num_ctas) {
        num_shares = static_cast<int>(whole);
        total = whole * units_of_share * (cost / tiles);
      }
    }
    quotient = total / num_shares;
    remainder = static_cast<int>(total % num_shares);
  }

  FP_PLAN_FUNCTION long long end_of(int share) const {
    const long long count = share + 1;
    return count * quotient + count * remainder / num_shares;
  }
};

// The allowed place nearest to the end of share `share`; the line's own ends for -1 and the last share.
FP_PLAN_FUNCTION LineCut cut_of(const PlanDecodeParams &p, const LineTile *line, const LineShares &shares, int share) {
  if (share < 0) return {0, 0, 0};
  if (share >= shares.num_shares - 1) return {shares.num_tiles - 1, p.num_kv_heads, 0};
  const long long place = shares.end_of(share);
  const int index = tile_at(shares.num_tiles, place, [&](int i) { return line[i].cost_end * p.num_kv_heads; });
  const LineTile &tile = line[index];
  const long long unit = unit_cost(p, tile);
  const long long cost = place - (tile.cost_end - unit) * p.num_kv_heads;
  LineCut cut{index, static_cast<int>(cost / unit), 0};
  const long long cost_in_unit = cost - cut.head * unit;
  const int steps = tile.num_steps;
  const int least = min_steps(p, tile);
  bool at_end = false;
  if (steps < 2 * static_cast<long long>(least)) {
    at_end = 2 * cost_in_unit >= unit;
  } else {
    const int grid = shares.quotient < static_cast<long long>(least) * p.step_cost + p.item_cost ? least : 1;
    const int last = steps - least - (steps - least) % grid;
    // x / d, rounded to the nearest; up from the middle of two.
    const long long x = cost_in_unit - p.item_cost, d = static_cast<long long>(p.step_cost) * grid;
    long long step = x < 0 ? 0 : (2 * x + d) / (2 * d) * grid;
    if (step < least) {
      step = 2 * step < least ? 0 : least;
    } else if (step > last) {
      at_end = 2 * step > static_cast<long long>(last) + steps;
      step = last;
    }
    cut.step = static_cast<int>(step);
  }
  if (at_end) {
    cut.step = 0;
    cut.head++;
  }
  return cut;
}

// The items between two cuts: the rest of a unit that was cut before, whole units tile by tile, the first piece of a unit.
struct ShareItems {
  LineCut begin;  // of whole units
  LineCut end;
  bool has_rest;
  bool has_first;
  int rest_tile;
  int rest_head;
  int rest_step_begin;
  int rest_step_end;

  FP_PLAN_FUNCTION ShareItems(const PlanDecodeParams &p, const LineTile *line, const LineCut &from, const LineCut &to) : begin(from), end(to) {
    const bool in_one_unit = from.tile == to.tile && from.head == to.head;
    has_rest = from.step > 0 && !(in_one_unit && from.step == to.step);
    rest_tile = from.tile;
    rest_head = from.head;
    rest_step_begin = from.step;
    rest_step_end = in_one_unit ? to.step : line[from.tile].num_steps;
    has_first = to.step > 0 && !(in_one_unit && from.step > 0);
    if (from.step > 0 && !in_one_unit) begin.head++;
    begin.step = 0;
    if (begin.head == p.num_kv_heads && begin.tile < to.tile) begin = {begin.tile + 1, 0, 0};
  }

  FP_PLAN_FUNCTION bool has_whole() const { return begin.tile < end.tile || begin.head < end.head; }
  // Tiles of which there are whole units.
  FP_PLAN_FUNCTION int num_whole() const { return has_whole() ? end.tile - begin.tile + (end.head > 0 ? 1 : 0) : 0; }
  FP_PLAN_FUNCTION int count() const { return num_whole() + (has_rest ? 1 : 0) + (has_first ? 1 : 0); }
};

}  // namespace fp
