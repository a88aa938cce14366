// plan_decode.cuh: the plan of a batch of decode tiles from lengths and page tables in device memory, by one CTA. It is word for word what the host's
// planner makes (src/planner/): the arithmetic is in parts/plan_line.h, and what there is a loop with a running sum is a prefix sum here.
//
//   requests  a thread each: check, tile, what it sees and costs; prefix sums of tiles and costs
//   shares    a thread for each CTA of the plan: where its share begins and ends, a closed form; how many items, pieces and partial rows that
//             makes; their prefix sums say where they go. If units are spread: a thread an item
//   bundles   a thread a tile: which place it has if the longest come first; a thread a bundle: which pieces it is dealt; a thread for each CTA of the
//             plan: its items
//   merges    by who has a unit's first piece: where its partials begin; by who has its last: how many they are
//
// If a request is wrong, or something does not fit, the plan is made empty at the end and its header says why.
#pragma once
#include "parts/cta_collective.cuh"
#include "parts/cta_scan.cuh"
#include "parts/plan_line.h"

namespace fp {

class PlanDecode {
  static constexpr i32 kThreads = plan_decode_threads;
  using Scan = CtaScan<kThreads>;
  using Collective = CtaCollective<kThreads>;

 public:
  struct Shared {
    Scan::Shared scan;
    Collective::Shared collective;
    u32 fits[kThreads / 32];
    // What bundles have been dealt, of one head.
    struct Dealt {
      i32 steps[plan_max_bundles];  // so far
      i32 begin[plan_max_bundles];  // pieces of the bundles before
      u32 pieces[plan_bundle_rounds][plan_max_bundles];
    };
    union {
      Dealt dealt;
      struct {
        LineCut cuts[kThreads + 1];        // where the shares of this turn begin and end
        i32 partials_begin[kThreads + 1];  // of the last merge before this turn, and of those that begin in it
      };
    };
  };

  __device__ __forceinline__ PlanDecode(const PlanDecodeParams &p, Shared &shared, LineTile *line)
      : p_(p), shared_(shared), line_(line), scan_(shared.scan), collective_(shared.collective) {}

  __device__ __forceinline__ void run() {
    const u64 problem = read_requests();
    if (problem != 0) {
      // 0 is no problem, so that the first one is the largest.
      const u64 first = ~collective_.max(problem);
      refuse(static_cast<i32>(first & 15), static_cast<i32>(first >> 4));
      return;
    }
    i32 num_starts = 0;
    if (num_tiles_ == 0) {
      for (i32 cta = thread(); cta <= p_.num_ctas; cta += kThreads) p_.cta_begin[cta] = 0;
    } else {
      const i64 steps = total_steps(p_, num_tiles_, cost_);
      const i32 longest = static_cast<i32>(collective_.max(longest_));  // behind its barrier the line is written
      const SpreadSearch search(p_, num_tiles_, steps);
      const i32 piece_steps = search.may_spread ? find_piece_steps(search, max(longest, 1)) : 0;
      if (search.may_spread && search.is_even(piece_steps)) {
        give_pieces(piece_steps);
        num_starts = static_cast<i32>(num_items_);
      } else {
        const bool are_alike = static_cast<i64>(longest) * num_tiles_ == steps;
        const Bundles bundles(p_, num_tiles_, steps);
        if (are_alike || !bundles.may_bundle || !give_bundles(bundles)) give_shares(are_alike);
      }
    }
    clear_starts(num_starts);
    if (num_tiles_ > p_.max_tiles || num_items_ > static_cast<u32>(p_.max_work_items) || num_merges_ > static_cast<u32>(p_.max_merges) ||
        num_partials_ > static_cast<u32>(p_.max_partials) || num_rows_ > static_cast<u32>(p_.max_partial_rows)) {
      __syncthreads();
      refuse(kPlanCapacity, 0);
      return;
    }
    write_header(kPlanGood, 0);
    write_slots();
    fill_slots(num_tokens_);
    if (p_.appends) {
      for (i32 r = thread(); r < p_.max_requests; r += kThreads) p_.kv_lens[r] += p_.qo_indptr[r + 1] - p_.qo_indptr[r];
    }
  }

 private:
  __device__ static __forceinline__ i32 thread() { return static_cast<i32>(threadIdx.x); }

  // Entries of several words lie at multiples of 16 bytes: host/check_plan.cc saw to it.
  template <typename Entry>
  __device__ static __forceinline__ void store(Entry *to, i32 index, i32 count, const Entry &entry) {
    if (static_cast<u32>(index) >= static_cast<u32>(count)) return;
    if constexpr (sizeof(Entry) % sizeof(uint4) == 0) {
      struct Parts {
        uint4 parts[sizeof(Entry) / sizeof(uint4)];
      };
      *reinterpret_cast<Parts *>(to + index) = __builtin_bit_cast(Parts, entry);
    } else {
      to[index] = entry;
    }
  }

  // Writes tiles and the line, slots and positions. Gives 0, or ~(16 first request that is wrong + its status) of this thread's.
  __device__ __forceinline__ u64 read_requests() {
    constexpr int kBadAt = 10, kCostAt = 20;
    u64 problem = 0;
    u64 bad = 0;
    i64 cost = 0;
    num_tiles_ = 0;
#pragma unroll 1
    for (i32 base = 0; base < p_.max_requests; base += kThreads) {
      const i32 r = base + thread();
      const bool exists = r < p_.max_requests;
      const PlanRequest request(p_, exists ? r : p_.max_requests - 1);
      const bool is_good = request.status == kPlanGood;
      const bool has_tile = exists && is_good && request.num_tokens > 0;
      if (exists && !is_good && problem == 0) problem = ~(static_cast<u64>(r) << 4 | static_cast<u32>(request.status));
      // Slots are written a turn later, or at the end: until then their pages are on the way.
      write_slots();
      last_ = {has_tile ? request.token_begin : 0, has_tile ? request.num_tokens : 0, request.kv_len, request.page_begin, -1, -1};
      last_.entry = has_tile && p_.slots != nullptr ? request.page_entry(p_, request.kv_len - 1) : -1;
      last_.page = last_.entry >= 0 ? p_.kv_indices[last_.entry] : -1;
      LineTile tile = line_tile(p_, request);
      const i64 own = has_tile ? unit_cost(p_, tile) : 0;
      u64 sums[1] = {static_cast<u64>(own) << kCostAt | (exists && !is_good ? 1u << kBadAt : 0u) | (has_tile ? 1u : 0u)};
      u64 totals[1];
      scan_.exclusive(sums, totals);
      if (has_tile) {
        longest_ = max(longest_, static_cast<u32>(tile.num_steps));
        const i32 index = num_tiles_ + static_cast<i32>(sums[0] & ((1u << kBadAt) - 1));
        tile.cost_end = cost + static_cast<i64>(sums[0] >> kCostAt) + own;
        line_[index] = tile;
        store(p_.tiles, index, p_.max_tiles, request.tile());
      }
      num_tiles_ += static_cast<i32>(totals[0] & ((1u << kBadAt) - 1));
      bad += totals[0] >> kBadAt & ((1u << (kCostAt - kBadAt)) - 1);
      cost += static_cast<i64>(totals[0] >> kCostAt);
    }
    cost_ = cost;
    num_tokens_ = max(p_.qo_indptr[p_.max_requests], 0);
    return bad == 0 ? 0 : problem | 1ull << 63;
  }

  // Of this thread's last request.
  __device__ __forceinline__ void write_slots() {
#pragma unroll 1
    for (i32 i = last_.num_tokens - 1; i >= 0; --i) {
      const i32 token = last_.token_begin + i;
      if (static_cast<u32>(token) >= static_cast<u32>(p_.max_tokens)) continue;
      const i32 pos = last_.kv_len - last_.num_tokens + i;
      if (p_.positions != nullptr) p_.positions[token] = pos;
      if (p_.slots == nullptr) continue;
      const i32 entry = page_entry_of(p_, last_.page_begin, pos);
      if (entry != last_.entry) {
        last_.entry = entry;
        last_.page = entry >= 0 ? p_.kv_indices[entry] : -1;
      }
      p_.slots[token] = slot_of(p_, last_.page, pos);
    }
  }

  // From `begin` on there are no tokens.
  __device__ __forceinline__ void fill_slots(i32 begin) const {
    if (p_.slots == nullptr && p_.positions == nullptr) return;
    for (i32 token = begin + thread(); token < p_.max_tokens; token += kThreads) {
      if (p_.slots != nullptr) p_.slots[token] = -1;
      if (p_.positions != nullptr) p_.positions[token] = 0;
    }
  }

  // ---- pieces of units, of one length ----

  // Where those of each tile go: items, if they are in the order of tiles; merges and partials of units that are cut, in the order of tiles, in a tile by
  // head, in a head by piece.
  __device__ __forceinline__ void place_pieces() {
    const u32 heads = static_cast<u32>(p_.num_kv_heads);
#pragma unroll 1
    for (i32 base = 0; base < num_tiles_; base += kThreads) {
      const i32 index = base + thread();
      const u32 pieces = index < num_tiles_ ? static_cast<u32>(line_[index].num_pieces) * heads : 0;
      const u32 partials = pieces > heads ? pieces : 0;
      u32 sums[3] = {pieces, partials, partials == 0 ? 0 : partials * static_cast<u32>(line_[index].num_tokens * p_.group)};
      u32 totals[3];
      scan_.exclusive(sums, totals);
      // A unit has a partial for each piece, and then a merge; or one piece and neither.
      if (index < num_tiles_) {
        LineTile &tile = line_[index];
        tile.item_end = static_cast<i32>(num_items_ + sums[0] + pieces);
        tile.merge_begin = static_cast<i32>(num_merges_ + heads * threadIdx.x - (sums[0] - sums[1]));
        tile.partial_begin = static_cast<i32>(num_partials_ + sums[1]);
        tile.row_begin = static_cast<i32>(num_rows_ + sums[2]);
      }
      num_items_ += totals[0];
      num_merges_ += heads * static_cast<u32>(min(num_tiles_ - base, kThreads)) - (totals[0] - totals[1]);
      num_partials_ += totals[1];
      num_rows_ += totals[2];
    }
    __syncthreads();
  }

  // Writes an item, and if its unit is cut, its partial and with the first piece the merge. Gives the item.
  __device__ __forceinline__ WorkItem write_piece(i32 index, i32 head, i32 piece, i32 item) const {
    const LineTile &tile = line_[index];
    const bool is_cut = tile.num_pieces > 1;
    const i32 of_tile = head * tile.num_pieces + piece;
    const i32 merge = is_cut ? tile.merge_begin + head : -1;
    const i32 row = is_cut ? tile.row_begin + of_tile * tile.num_tokens * p_.group : -1;
    const WorkItem work = work_item(p_, tile, index, head, 1, step_of_piece(tile, piece), step_of_piece(tile, piece + 1), row, merge);
    store(p_.work, item, p_.max_work_items, work);
    if (!is_cut) return work;
    store(p_.partials, tile.partial_begin + of_tile, p_.max_partials, row);
    if (piece == 0) {
      store(p_.merges, merge, p_.max_merges, MergeItem{tile.token_begin, tile.num_tokens, head, tile.partial_begin + of_tile, tile.num_pieces, 1, 0, 0});
    }
    return work;
  }

  // ---- units that are spread ----

  // `longest`: steps of a piece.
  __device__ __forceinline__ void give_pieces(i32 longest) {
    for (i32 index = thread(); index < num_tiles_; index += kThreads) line_[index].num_pieces = num_pieces(line_[index], longest);
    place_pieces();
    for (i32 item = thread(); item < static_cast<i32>(num_items_); item += kThreads) write_spread(item);
    for (i32 cta = thread(); cta <= p_.num_ctas; cta += kThreads) p_.cta_begin[cta] = min(cta, static_cast<i32>(num_items_));
  }

  // Of the CTAs from `cta` on the plan says nothing more.
  __device__ __forceinline__ void clear_starts(i32 cta) const {
    if (p_.starts == nullptr) return;
    for (cta += thread(); cta < p_.num_ctas; cta += kThreads) store(p_.starts, cta, p_.num_ctas, CtaStart{});
  }

  __device__ __forceinline__ void write_spread(i32 item) const {
    const i32 index = tile_at(num_tiles_, item, [&](i32 i) { return line_[i].item_end; });
    const i32 of_tile = item - (index == 0 ? 0 : line_[index - 1].item_end);
    const i32 head = of_tile / line_[index].num_pieces;
    const WorkItem work = write_piece(index, head, of_tile - head * line_[index].num_pieces, item);
    // Of the tile as read_requests() wrote it, if it had room.
    if (p_.starts != nullptr && index < p_.max_tiles) store(p_.starts, item, p_.num_ctas, cta_start(p_, p_.tiles[index], work));
  }

  // The fewest steps of the longest piece with which there is a CTA for each piece. A warp tries a number, all warps as many numbers at a time.
  __device__ __forceinline__ i32 find_piece_steps(const SpreadSearch &search, i32 longest) {
    constexpr u32 kAll = 0xffffffffu;
    constexpr i32 kWarps = kThreads / 32;
    const i32 warp = thread() / 32, lane = thread() % 32;
    i32 low = search.equal - 1, high = longest;  // too few, and enough
#pragma unroll 1
    while (high - low > 1) {
      const auto candidate = [&](i32 w) { return low + static_cast<i32>((static_cast<i64>(high - low) * (w + 1) + kWarps) / (kWarps + 1)); };
      const i32 mine = candidate(warp);
      u32 pieces = 0;
      for (i32 i = lane; i < num_tiles_; i += 32) pieces += min(static_cast<u32>(num_pieces(line_[i], mine)), 1u << 16);
      pieces = __reduce_add_sync(kAll, pieces);
      __syncthreads();  // the last round's answers were read
      if (lane == 0) shared_.fits[warp] = pieces <= static_cast<u32>(search.most_pieces);
      __syncthreads();
      const u32 fits = lane < kWarps ? shared_.fits[lane] : 1;
      const i32 first = __ffs(static_cast<i32>(__ballot_sync(kAll, fits != 0))) - 1;  // kWarps: none does
      if (first > 0) low = max(low, candidate(first - 1));
      if (first < kWarps) high = min(high, candidate(first));
    }
    return high;
  }

  // ---- bundles ----

  // False, with nothing done, if they are not even enough, or their pieces too short or too many.
  __device__ __forceinline__ bool give_bundles(const Bundles &bundles) {
    u32 pieces = 0, is_bad = 0;
#pragma unroll 1
    for (i32 index = thread(); index < num_tiles_; index += kThreads) {
      if (!bundles.cut(p_, line_[index])) is_bad = 1;
      pieces += static_cast<u32>(line_[index].num_pieces);
    }
    // No tile has more pieces than there are CTAs.
    pieces = collective_.sum(pieces);
    if (collective_.max(is_bad) != 0 || pieces > static_cast<u32>(bundles.most_pieces)) return false;
    rank_tiles();
    const i32 rounds = bundles.num_rounds(static_cast<i32>(pieces));
    if (!deal_pieces(bundles, static_cast<i32>(pieces), rounds)) return false;
    if (pieces > static_cast<u32>(num_tiles_)) {
      place_pieces();
    } else {
      num_items_ = pieces * static_cast<u32>(p_.num_kv_heads);
    }
    write_bundles(bundles, rounds);
    return true;
  }

  // A tile's place is behind all that have longer pieces, and those with as long ones before it. There are a few hundred tiles at most.
  __device__ __forceinline__ void rank_tiles() {
#pragma unroll 1
    for (i32 index = thread(); index < num_tiles_; index += kThreads) {
      const i32 own = line_[index].longest_piece;
      i32 place = 0, rank = 0;
#pragma unroll 8
      for (i32 i = 0; i < num_tiles_; ++i) {
        const i32 other = line_[i].longest_piece;
        const bool is_before = other > own || (other == own && i < index);
        place += is_before ? 1 : 0;
        rank += is_before ? line_[i].num_pieces : 0;
      }
      line_[place].by_length = index;
      line_[index].rank_begin = rank;
    }
    __syncthreads();
  }

  // A piece of one head: which of its tile's it is.
  struct Piece {
    i32 tile;
    i32 piece;

    // Eleven bits are enough for tiles: a bundle has three pieces at most.
    static constexpr u32 kTileBits = 11;
    static_assert(plan_bundle_rounds * plan_max_bundles <= 1 << kTileBits);
    __device__ __forceinline__ u32 packed() const { return static_cast<u32>(piece) << kTileBits | static_cast<u32>(tile); }
    __device__ static __forceinline__ Piece unpacked(u32 word) { return {static_cast<i32>(word & ((1u << kTileBits) - 1)), static_cast<i32>(word >> kTileBits)}; }
  };
  static constexpr u32 kNoPiece = 0xffffffffu;

  __device__ __forceinline__ Piece piece_of_rank(i32 rank) const {
    const i32 place = tile_at(num_tiles_, rank, [&](i32 i) { return i + 1 < num_tiles_ ? line_[line_[i + 1].by_length].rank_begin : 0x7fffffff; });
    const i32 index = line_[place].by_length;
    return {index, rank - line_[index].rank_begin};
  }

  // A thread a bundle. False: some bundle is too long.
  __device__ __forceinline__ bool deal_pieces(const Bundles &bundles, i32 num_pieces_of_all, i32 rounds) {
    typename Shared::Dealt &dealt = shared_.dealt;
    const i32 bundle = thread();
    i32 steps = 0;
    u32 count = 0;
#pragma unroll 1
    for (i32 round = 0; round < rounds; ++round) {
      if (bundle < bundles.num_bundles) dealt.steps[bundle] = steps;
      __syncthreads();
      if (bundle < bundles.num_bundles) {
        i32 place = 0;
#pragma unroll 8
        for (i32 i = 0; i < bundles.num_bundles; ++i) {
          const i32 other = dealt.steps[i];
          place += other < steps || (other == steps && i < bundle) ? 1 : 0;
        }
        const i32 rank = round * bundles.num_bundles + place;
        u32 word = kNoPiece;
        if (rank < num_pieces_of_all) {
          const Piece piece = piece_of_rank(rank);
          const LineTile &tile = line_[piece.tile];
          word = piece.packed();
          steps += step_of_piece(tile, piece.piece + 1) - step_of_piece(tile, piece.piece);
          ++count;
        }
        dealt.pieces[round][bundle] = word;
      }
      __syncthreads();
    }
    if (collective_.max(static_cast<u32>(steps > bundles.most_steps)) != 0) return false;
    u32 sums[1] = {count}, totals[1];
    scan_.exclusive(sums, totals);
    if (bundle < bundles.num_bundles) dealt.begin[bundle] = static_cast<i32>(sums[0]);
    __syncthreads();
    return true;
  }

  // A thread a CTA.
  __device__ __forceinline__ void write_bundles(const Bundles &bundles, i32 rounds) const {
    const Shared::Dealt &dealt = shared_.dealt;
    const i32 heads = p_.num_kv_heads;
#pragma unroll 1
    for (i32 cta = thread(); cta <= p_.num_ctas; cta += kThreads) {
      if (cta >= bundles.num_bundles * heads) {
        p_.cta_begin[cta] = static_cast<i32>(num_items_);
        continue;
      }
      const i32 bundle = cta / heads, head = cta - bundle * heads;
      const i32 begin = dealt.begin[bundle], end = bundle + 1 < bundles.num_bundles ? dealt.begin[bundle + 1] : static_cast<i32>(num_items_) / heads;
      i32 item = begin * heads + head * (end - begin);
      p_.cta_begin[cta] = item;
#pragma unroll 1
      for (i32 round = 0; round < rounds; ++round) {
        const u32 word = dealt.pieces[round][bundle];
        if (word == kNoPiece) continue;
        const Piece piece = Piece::unpacked(word);
        write_piece(piece.tile, head, piece.piece, item++);
      }
    }
  }

  // ---- equal shares ----

  __device__ __forceinline__ void give_shares(bool are_alike) {
    const LineShares shares(p_, num_tiles_, are_alike, cost_);
    if (thread() == 0) shared_.cuts[kThreads] = cut_of(p_, line_, shares, -1);
    i32 last_begin = 0;
#pragma unroll 1
    for (i32 base = 0; base < p_.num_ctas; base += kThreads) {
      const i32 cta = base + thread();
      if (thread() == 0) shared_.cuts[0] = shared_.cuts[kThreads];
      const LineCut to = cut_of(p_, line_, shares, cta);
      if (thread() + 1 < kThreads) shared_.cuts[thread() + 1] = to;
      __syncthreads();
      const LineCut from = shared_.cuts[thread()];
      const ShareItems items(p_, line_, from, to);
      const u32 rest_rows = items.has_rest ? static_cast<u32>(line_[from.tile].num_tokens * p_.group) : 0;
      const u32 first_rows = items.has_first ? static_cast<u32>(line_[to.tile].num_tokens * p_.group) : 0;
      u32 sums[3] = {static_cast<u32>(items.count()), (items.has_rest ? 1u << 16 : 0u) | (items.has_first ? 1u : 0u), rest_rows + first_rows};
      u32 totals[3];
      scan_.exclusive(sums, totals);
      if (thread() == 0) shared_.partials_begin[0] = last_begin;
      const i32 merge = static_cast<i32>(num_merges_ + (sums[1] & 0xffffu));
      const i32 piece = static_cast<i32>(num_partials_ + (sums[1] >> 16) + (sums[1] & 0xffffu));
      if (cta < p_.num_ctas) {
        const i32 item = static_cast<i32>(num_items_ + sums[0]);
        p_.cta_begin[cta] = item;
        write_share(items, item, merge, piece, static_cast<i32>(num_rows_ + sums[2]));
      }
      // Where a unit's last piece is, its partials are counted.
      if (items.has_first) shared_.partials_begin[merge - static_cast<i32>(num_merges_) + 1] = piece + (items.has_rest ? 1 : 0);
      if (thread() == kThreads - 1) shared_.cuts[kThreads] = to;
      __syncthreads();
      if (items.has_rest && items.rest_step_end == line_[items.rest_tile].num_steps && merge > 0 && merge <= p_.max_merges) {
        p_.merges[merge - 1].num_partials = piece + 1 - shared_.partials_begin[merge - static_cast<i32>(num_merges_)];
      }
      last_begin = shared_.partials_begin[totals[1] & 0xffffu];
      num_items_ += totals[0];
      num_merges_ += totals[1] & 0xffffu;
      num_partials_ += (totals[1] >> 16) + (totals[1] & 0xffffu);
      num_rows_ += totals[2];
    }
    if (thread() == 0) p_.cta_begin[p_.num_ctas] = static_cast<i32>(num_items_);
  }

  // `merge`, `piece` and `row`: the first that are free.
  __device__ __forceinline__ void write_share(const ShareItems &items, i32 item, i32 merge, i32 piece, i32 row) const {
    const auto put = [&](const WorkItem &work) { store(p_.work, item++, p_.max_work_items, work); };
    const i32 rest_tile = items.rest_tile;
    if (items.has_rest) {
      const LineTile &tile = line_[rest_tile];
      put(work_item(p_, tile, rest_tile, items.rest_head, 1, items.rest_step_begin, items.rest_step_end, row, merge - 1));
      store(p_.partials, piece++, p_.max_partials, row);
      row += tile.num_tokens * p_.group;
    }
    if (items.has_whole()) {
      i32 head = items.begin.head;
#pragma unroll 1
      for (i32 index = items.begin.tile; index < items.end.tile; ++index) {
        put(work_item(p_, line_[index], index, head, p_.num_kv_heads - head, 0, line_[index].num_steps, -1, -1));
        head = 0;
      }
      const i32 index = items.end.tile;
      if (items.end.head > head) put(work_item(p_, line_[index], index, head, items.end.head - head, 0, line_[index].num_steps, -1, -1));
    }
    if (items.has_first) {
      const i32 index = items.end.tile;
      const LineTile &tile = line_[index];
      put(work_item(p_, tile, index, items.end.head, 1, 0, items.end.step, row, merge));
      store(p_.partials, piece, p_.max_partials, row);
      store(p_.merges, merge, p_.max_merges, MergeItem{tile.token_begin, tile.num_tokens, items.end.head, piece, 0, 1, 0, 0});
    }
  }

  // ---- the end ----

  __device__ __forceinline__ void refuse(i32 status, i32 request) {
    num_tiles_ = 0;
    num_items_ = num_merges_ = num_partials_ = num_rows_ = 0;
    for (i32 cta = thread(); cta <= p_.num_ctas; cta += kThreads) p_.cta_begin[cta] = 0;
    fill_slots(0);
    write_header(status, request);
  }

  __device__ __forceinline__ void write_header(i32 status, i32 request) const {
    if (thread() != 0) return;
    PlanHeader header{};
    header.num_tiles = num_tiles_;
    header.num_work_items = static_cast<i32>(num_items_);
    header.num_ctas = p_.num_ctas;
    header.num_merges = static_cast<i32>(num_merges_);
    header.num_partial_rows = static_cast<i32>(num_rows_);
    header.num_partials = static_cast<i32>(num_partials_);
    header.status = status;
    header.status_request = request;
    *p_.header = header;
  }

  const PlanDecodeParams &p_;
  Shared &shared_;
  LineTile *line_;
  Scan scan_;
  Collective collective_;
  // This thread's last request, for its slots. `page`: what entry `entry` of kv_indices names; -1 and -1: none.
  struct {
    i32 token_begin;
    i32 num_tokens;
    i32 kv_len;
    i32 page_begin;
    i32 entry;
    i32 page;
  } last_ = {};
  i64 cost_ = 0;      // of one head's units
  u32 longest_ = 0;   // steps of this thread's tiles
  i32 num_tokens_ = 0;
  i32 num_tiles_ = 0;
  u32 num_items_ = 0;
  u32 num_merges_ = 0;
  u32 num_partials_ = 0;
  u32 num_rows_ = 0;
};

__device__ __forceinline__ void plan_decode(const PlanDecodeParams &p) {
  extern __shared__ __align__(16) u8 shared_memory[];
  __shared__ PlanDecode::Shared shared;
  static_assert(sizeof(shared) + plan_line_in_shared * sizeof(LineTile) <= 48 * 1024);  // what a kernel may have without asking for more
  PlanDecode(p, shared, p.line != nullptr ? p.line : reinterpret_cast<LineTile *>(shared_memory)).run();
}

}  // namespace fp
