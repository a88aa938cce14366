// plan.cc: the plan of a batch of decode tiles from lengths and page tables in device memory: the arithmetic of cuda/parts/plan_line.h, one request, share
// and item after another.
#include <algorithm>
#include <numeric>
#include <vector>

#include "../cuda/parts/plan_line.h"
#include "../host/plan_params.h"
#include "ops.h"

namespace fp::cpu {
namespace {

class PlanDecode {
 public:
  explicit PlanDecode(const PlanDecodeParams &p) : p_(p) {}

  void run() {
    int request = 0;
    int status = read_requests(request);
    if (p_.starts) std::fill_n(p_.starts, p_.num_ctas, CtaStart{});
    if (status == kPlanGood) {
      if (line_.empty()) {
        std::fill_n(p_.cta_begin, p_.num_ctas + 1, 0);
      } else {
        lay_shares();
      }
      if (overflows_) {
        status = kPlanCapacity;
        request = 0;
      }
    }
    if (status == kPlanGood) {
      fill_slots(p_.qo_indptr[p_.max_requests]);
      for (int r = 0; p_.appends && r < p_.max_requests; r++) p_.kv_lens[r] += p_.qo_indptr[r + 1] - p_.qo_indptr[r];
    } else {
      std::fill_n(p_.cta_begin, p_.num_ctas + 1, 0);
      fill_slots(0);
      line_.clear();
      num_items_ = num_merges_ = num_partials_ = num_rows_ = 0;
    }
    PlanHeader header{};
    header.num_tiles = static_cast<int>(line_.size());
    header.num_work_items = num_items_;
    header.num_ctas = p_.num_ctas;
    header.num_merges = num_merges_;
    header.num_partial_rows = num_rows_;
    header.num_partials = num_partials_;
    header.status = status;
    header.status_request = status == kPlanGood ? 0 : request;
    *p_.header = header;
  }

 private:
  int read_requests(int &request) {
    long long cost = 0;
    for (int r = 0; r < p_.max_requests; r++) {
      const PlanRequest read(p_, r);
      request = r;
      if (read.status != kPlanGood) return read.status;
      if (read.num_tokens == 0) continue;
      LineTile tile = line_tile(p_, read);
      cost += unit_cost(p_, tile);
      tile.cost_end = cost;
      put(p_.tiles, static_cast<int>(line_.size()), p_.max_tiles, read.tile());
      line_.push_back(tile);
      for (int i = 0; i < read.num_tokens; i++) {
        const int pos = read.kv_len - read.num_tokens + i;
        const int entry = p_.slots ? read.page_entry(p_, pos) : -1;
        if (p_.slots) p_.slots[read.token_begin + i] = slot_of(p_, entry >= 0 ? p_.kv_indices[entry] : -1, pos);
        if (p_.positions) p_.positions[read.token_begin + i] = pos;
      }
    }
    return kPlanGood;
  }

  void fill_slots(int begin) {
    begin = std::clamp(begin, 0, p_.max_tokens);
    if (p_.slots) std::fill(p_.slots + begin, p_.slots + p_.max_tokens, -1);
    if (p_.positions) std::fill(p_.positions + begin, p_.positions + p_.max_tokens, 0);
  }

  void lay_shares() {
    int longest = 0;
    for (const LineTile &tile : line_) longest = std::max(longest, tile.num_steps);
    const long long steps = total_steps(p_, num_tiles(), line_.back().cost_end);
    const SpreadSearch search(p_, num_tiles(), steps);
    int low = search.equal - 1, high = std::max(1, longest);  // steps of the longest piece: too few, and enough
    while (search.may_spread && high - low > 1) {
      const int middle = low + (high - low) / 2;
      int64_t pieces = 0;
      for (const LineTile &tile : line_) pieces += num_pieces(tile, middle);
      (pieces <= search.most_pieces ? high : low) = middle;
    }
    if (search.may_spread && search.is_even(high)) {
      give_pieces(high);
    } else {
      const bool are_alike = static_cast<long long>(longest) * num_tiles() == steps;
      const Bundles bundles(p_, num_tiles(), steps);
      if (are_alike || !bundles.may_bundle || !give_bundles(bundles)) give_shares(are_alike);
    }
  }

  void give_pieces(int longest) {
    for (int index = 0; index < num_tiles(); index++) {
      LineTile &tile = line_[static_cast<size_t>(index)];
      tile.num_pieces = num_pieces(tile, longest);
      for (int head = 0; head < p_.num_kv_heads; head++) {
        if (tile.num_pieces == 1) put_item(work_item(p_, tile, index, head, 1, 0, tile.num_steps, -1, -1));
        for (int piece = 0; tile.num_pieces > 1 && piece < tile.num_pieces; piece++) {
          put_piece(index, head, step_of_piece(tile, piece), step_of_piece(tile, piece + 1));
        }
      }
    }
    for (int cta = 0; cta <= p_.num_ctas; cta++) p_.cta_begin[cta] = std::min(cta, num_items_);
    for (int cta = 0; p_.starts && cta < num_items_ && !overflows_; cta++) p_.starts[cta] = cta_start(p_, p_.tiles[p_.work[cta].tile], p_.work[cta]);
  }

  // False, with nothing done, if bundles are not even enough, or their pieces too short or too many.
  bool give_bundles(const Bundles &bundles) {
    struct Piece {
      int tile, piece;
    };
    std::vector<Piece> pieces;
    const auto tile_of = [&](int index) -> const LineTile & { return line_[static_cast<size_t>(index)]; };
    for (int index = 0; index < num_tiles(); index++) {
      LineTile &tile = line_[static_cast<size_t>(index)];
      if (!bundles.cut(p_, tile)) return false;
      for (int piece = 0; piece < tile.num_pieces; piece++) pieces.push_back({index, piece});
      if (pieces.size() > static_cast<size_t>(bundles.most_pieces)) return false;
    }
    std::stable_sort(pieces.begin(), pieces.end(),
                     [&](const Piece &a, const Piece &b) { return tile_of(a.tile).longest_piece > tile_of(b.tile).longest_piece; });

    struct Bundle {
      int steps;
      std::vector<Piece> pieces;
    };
    std::vector<Bundle> dealt(static_cast<size_t>(bundles.num_bundles));
    std::vector<size_t> order(dealt.size());
    for (size_t next = 0; next < pieces.size(); next += dealt.size()) {
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return dealt[a].steps < dealt[b].steps; });
      for (size_t i = 0; i < order.size() && next + i < pieces.size(); i++) {
        Bundle &bundle = dealt[order[i]];
        const Piece &piece = pieces[next + i];
        bundle.steps += step_of_piece(tile_of(piece.tile), piece.piece + 1) - step_of_piece(tile_of(piece.tile), piece.piece);
        bundle.pieces.push_back(piece);
        if (bundle.steps > bundles.most_steps) return false;
      }
    }

    // Partials lie in the order of tiles, in a tile by head, in a head by piece.
    for (LineTile &tile : line_) {
      tile.merge_begin = num_merges_;
      tile.partial_begin = num_partials_;
      tile.row_begin = num_rows_;
      const int count = tile.num_pieces;
      if (count == 1) continue;
      for (int head = 0; head < p_.num_kv_heads; head++) {
        put(p_.merges, num_merges_++, p_.max_merges, MergeItem{tile.token_begin, tile.num_tokens, head, num_partials_, count, 1, 0, 0});
        for (int piece = 0; piece < count; piece++, num_rows_ += tile.num_tokens * p_.group) put(p_.partials, num_partials_++, p_.max_partials, num_rows_);
      }
      if (num_rows_ > p_.max_partial_rows) overflows_ = true;
    }
    for (int cta = 0; cta <= p_.num_ctas; cta++) {
      p_.cta_begin[cta] = num_items_;
      if (cta >= bundles.num_bundles * p_.num_kv_heads) continue;
      const int head = cta % p_.num_kv_heads;
      for (const Piece &piece : dealt[static_cast<size_t>(cta / p_.num_kv_heads)].pieces) {
        const LineTile &tile = tile_of(piece.tile);
        const bool is_cut = tile.num_pieces > 1;
        const int row = tile.row_begin + (head * tile.num_pieces + piece.piece) * tile.num_tokens * p_.group;
        put_item(work_item(p_, tile, piece.tile, head, 1, step_of_piece(tile, piece.piece), step_of_piece(tile, piece.piece + 1), is_cut ? row : -1,
                           is_cut ? tile.merge_begin + head : -1));
      }
    }
    return true;
  }

  void give_shares(bool are_alike) {
    const LineShares shares(p_, num_tiles(), are_alike, line_.back().cost_end);
    LineCut from = cut_of(p_, line_.data(), shares, -1);
    for (int share = 0; share < p_.num_ctas; share++) {
      p_.cta_begin[share] = num_items_;
      const LineCut to = cut_of(p_, line_.data(), shares, share);
      const ShareItems items(p_, line_.data(), from, to);
      if (items.has_rest) put_piece(items.rest_tile, items.rest_head, items.rest_step_begin, items.rest_step_end);
      for (int index = items.begin.tile, head = items.begin.head; items.has_whole() && index <= items.end.tile; index++, head = 0) {
        const LineTile &tile = line_[static_cast<size_t>(index)];
        const int end = index == items.end.tile ? items.end.head : p_.num_kv_heads;
        if (head < end) put_item(work_item(p_, tile, index, head, end - head, 0, tile.num_steps, -1, -1));
      }
      if (items.has_first) put_piece(items.end.tile, items.end.head, 0, items.end.step);
      from = to;
    }
    p_.cta_begin[p_.num_ctas] = num_items_;
  }

  int num_tiles() const { return static_cast<int>(line_.size()); }

  template <typename Entry>
  void put(Entry *to, int index, int count, const Entry &entry) {
    if (index < count) {
      to[index] = entry;
    } else {
      overflows_ = true;
    }
  }

  void put_item(const WorkItem &item) { put(p_.work, num_items_++, p_.max_work_items, item); }

  // The first piece of a unit begins with step 0 and opens its merge; the others follow.
  void put_piece(int index, int head, int step_begin, int step_end) {
    const LineTile &tile = line_[static_cast<size_t>(index)];
    if (step_begin == 0) {
      put(p_.merges, num_merges_++, p_.max_merges, MergeItem{tile.token_begin, tile.num_tokens, head, num_partials_, 0, 1, 0, 0});
    }
    put_item(work_item(p_, tile, index, head, 1, step_begin, step_end, num_rows_, num_merges_ - 1));
    put(p_.partials, num_partials_++, p_.max_partials, num_rows_);
    num_rows_ += tile.num_tokens * p_.group;
    if (num_rows_ > p_.max_partial_rows) overflows_ = true;
    if (!overflows_ && num_merges_ > 0) p_.merges[num_merges_ - 1].num_partials++;
  }

  const PlanDecodeParams &p_;
  std::vector<LineTile> line_;
  bool overflows_ = false;
  int num_items_ = 0;
  int num_merges_ = 0;
  int num_partials_ = 0;
  int num_rows_ = 0;
};

}  // namespace

void plan_decode(const fp_plan_decode_args &args, ThreadPool &, Isa) {
  const PlanDecodeParams params = plan_decode_params(args);
  PlanDecode(params).run();
}

}  // namespace fp::cpu
