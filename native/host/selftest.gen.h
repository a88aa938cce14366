// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.
#pragma once
#include <cstddef>

#include "../flashpage.h"

namespace fp::selftest {

static_assert(sizeof(fp_device_info) == 48);
static_assert(offsetof(fp_device_info, kind) == 0);
static_assert(offsetof(fp_device_info, ordinal) == 4);
static_assert(offsetof(fp_device_info, num_processors) == 8);
static_assert(offsetof(fp_device_info, compute_capability) == 12);
static_assert(offsetof(fp_device_info, driver_version) == 16);
static_assert(offsetof(fp_device_info, shared_memory_bytes) == 20);
static_assert(offsetof(fp_device_info, total_memory_bytes) == 24);
static_assert(offsetof(fp_device_info, free_memory_bytes) == 32);
static_assert(offsetof(fp_device_info, l2_cache_bytes) == 40);
static_assert(sizeof(fp_memory_usage) == 32);
static_assert(offsetof(fp_memory_usage, allocated_bytes) == 0);
static_assert(offsetof(fp_memory_usage, peak_bytes) == 8);
static_assert(offsetof(fp_memory_usage, num_allocations) == 16);
static_assert(offsetof(fp_memory_usage, pending_bytes) == 24);
static_assert(sizeof(fp_plan_header) == 64);
static_assert(offsetof(fp_plan_header, num_tiles) == 0);
static_assert(offsetof(fp_plan_header, num_work_items) == 4);
static_assert(offsetof(fp_plan_header, num_ctas) == 8);
static_assert(offsetof(fp_plan_header, num_merges) == 12);
static_assert(offsetof(fp_plan_header, num_partial_rows) == 16);
static_assert(offsetof(fp_plan_header, num_partials) == 20);
static_assert(offsetof(fp_plan_header, num_row_entries) == 24);
static_assert(offsetof(fp_plan_header, num_queued_pieces) == 28);
static_assert(offsetof(fp_plan_header, num_queued_items) == 32);
static_assert(offsetof(fp_plan_header, queue_next) == 36);
static_assert(offsetof(fp_plan_header, status) == 40);
static_assert(offsetof(fp_plan_header, status_request) == 44);
static_assert(offsetof(fp_plan_header, num_prefill_ctas) == 48);
static_assert(offsetof(fp_plan_header, start_gate) == 52);
static_assert(offsetof(fp_plan_header, reserved0) == 56);
static_assert(offsetof(fp_plan_header, reserved1) == 60);
static_assert(sizeof(fp_row_tile) == 48);
static_assert(offsetof(fp_row_tile, tile_class) == 0);
static_assert(offsetof(fp_row_tile, token_begin) == 4);
static_assert(offsetof(fp_row_tile, num_tokens) == 8);
static_assert(offsetof(fp_row_tile, gathered) == 12);
static_assert(offsetof(fp_row_tile, qo_pos_begin) == 16);
static_assert(offsetof(fp_row_tile, page_begin) == 20);
static_assert(offsetof(fp_row_tile, kv_pos_begin) == 24);
static_assert(offsetof(fp_row_tile, kv_len) == 28);
static_assert(offsetof(fp_row_tile, mask_byte_begin) == 32);
static_assert(offsetof(fp_row_tile, mask_stride_bits) == 36);
static_assert(offsetof(fp_row_tile, mask_row_begin) == 40);
static_assert(offsetof(fp_row_tile, reserved) == 44);
static_assert(sizeof(fp_work_item) == 32);
static_assert(offsetof(fp_work_item, tile) == 0);
static_assert(offsetof(fp_work_item, kv_head_begin) == 4);
static_assert(offsetof(fp_work_item, num_kv_heads) == 8);
static_assert(offsetof(fp_work_item, kv_begin) == 12);
static_assert(offsetof(fp_work_item, kv_end) == 16);
static_assert(offsetof(fp_work_item, partial_row) == 20);
static_assert(offsetof(fp_work_item, needs_mask) == 24);
static_assert(offsetof(fp_work_item, merge) == 28);
static_assert(sizeof(fp_merge_item) == 32);
static_assert(offsetof(fp_merge_item, token_begin) == 0);
static_assert(offsetof(fp_merge_item, num_tokens) == 4);
static_assert(offsetof(fp_merge_item, kv_head) == 8);
static_assert(offsetof(fp_merge_item, partials_begin) == 12);
static_assert(offsetof(fp_merge_item, num_partials) == 16);
static_assert(offsetof(fp_merge_item, in_kernel) == 20);
static_assert(offsetof(fp_merge_item, arrivals) == 24);
static_assert(offsetof(fp_merge_item, reserved) == 28);
static_assert(sizeof(fp_cta_start) == 48);
static_assert(offsetof(fp_cta_start, token_begin) == 0);
static_assert(offsetof(fp_cta_start, num_tokens) == 4);
static_assert(offsetof(fp_cta_start, qo_pos_begin) == 8);
static_assert(offsetof(fp_cta_start, page_begin) == 12);
static_assert(offsetof(fp_cta_start, page0) == 16);
static_assert(offsetof(fp_cta_start, page1) == 20);
static_assert(offsetof(fp_cta_start, page2) == 24);
static_assert(offsetof(fp_cta_start, page3) == 28);
static_assert(offsetof(fp_cta_start, page4) == 32);
static_assert(offsetof(fp_cta_start, page5) == 36);
static_assert(offsetof(fp_cta_start, page6) == 40);
static_assert(offsetof(fp_cta_start, page7) == 44);
static_assert(sizeof(fp_row_entry) == 8);
static_assert(offsetof(fp_row_entry, token) == 0);
static_assert(offsetof(fp_row_entry, qo_pos) == 4);
static_assert(sizeof(fp_trace_header) == 16);
static_assert(offsetof(fp_trace_header, num_records) == 0);
static_assert(offsetof(fp_trace_header, num_dropped) == 4);
static_assert(offsetof(fp_trace_header, reserved0) == 8);
static_assert(offsetof(fp_trace_header, reserved1) == 12);
static_assert(sizeof(fp_trace_record) == 32);
static_assert(offsetof(fp_trace_record, work_item) == 0);
static_assert(offsetof(fp_trace_record, kv_heads) == 4);
static_assert(offsetof(fp_trace_record, processor) == 8);
static_assert(offsetof(fp_trace_record, cta) == 12);
static_assert(offsetof(fp_trace_record, begin_low) == 16);
static_assert(offsetof(fp_trace_record, begin_high) == 20);
static_assert(offsetof(fp_trace_record, end_low) == 24);
static_assert(offsetof(fp_trace_record, end_high) == 28);
static_assert(sizeof(fp_attention_limits) == 32);
static_assert(offsetof(fp_attention_limits, struct_size) == 0);
static_assert(offsetof(fp_attention_limits, num_ctas) == 4);
static_assert(offsetof(fp_attention_limits, decode_rows) == 8);
static_assert(offsetof(fp_attention_limits, prefill_rows) == 12);
static_assert(offsetof(fp_attention_limits, decode_kv_tile) == 16);
static_assert(offsetof(fp_attention_limits, prefill_kv_tile) == 20);
static_assert(offsetof(fp_attention_limits, prefill_ctas) == 24);
static_assert(offsetof(fp_attention_limits, reads_starts) == 28);
static_assert(sizeof(fp_attention_args) == 368);
static_assert(offsetof(fp_attention_args, struct_size) == 0);
static_assert(offsetof(fp_attention_args, q_dtype) == 4);
static_assert(offsetof(fp_attention_args, dtype) == 8);
static_assert(offsetof(fp_attention_args, kv_dtype) == 12);
static_assert(offsetof(fp_attention_args, num_tokens) == 16);
static_assert(offsetof(fp_attention_args, num_qo_heads) == 20);
static_assert(offsetof(fp_attention_args, num_kv_heads) == 24);
static_assert(offsetof(fp_attention_args, head_dim_qk) == 28);
static_assert(offsetof(fp_attention_args, head_dim_vo) == 32);
static_assert(offsetof(fp_attention_args, page_size) == 36);
static_assert(offsetof(fp_attention_args, num_pages) == 40);
static_assert(offsetof(fp_attention_args, num_kv_indices) == 44);
static_assert(offsetof(fp_attention_args, causal) == 48);
static_assert(offsetof(fp_attention_args, window_left) == 52);
static_assert(offsetof(fp_attention_args, window_right) == 56);
static_assert(offsetof(fp_attention_args, sm_scale) == 60);
static_assert(offsetof(fp_attention_args, logits_soft_cap) == 64);
static_assert(offsetof(fp_attention_args, q_scale) == 68);
static_assert(offsetof(fp_attention_args, k_scale) == 72);
static_assert(offsetof(fp_attention_args, v_scale) == 76);
static_assert(offsetof(fp_attention_args, num_ctas) == 80);
static_assert(offsetof(fp_attention_args, max_tiles) == 84);
static_assert(offsetof(fp_attention_args, max_work_items) == 88);
static_assert(offsetof(fp_attention_args, max_merges) == 92);
static_assert(offsetof(fp_attention_args, max_partials) == 96);
static_assert(offsetof(fp_attention_args, max_row_entries) == 100);
static_assert(offsetof(fp_attention_args, max_partial_rows) == 104);
static_assert(offsetof(fp_attention_args, tiles_offset) == 108);
static_assert(offsetof(fp_attention_args, work_offset) == 112);
static_assert(offsetof(fp_attention_args, cta_begin_offset) == 116);
static_assert(offsetof(fp_attention_args, merges_offset) == 120);
static_assert(offsetof(fp_attention_args, partials_offset) == 124);
static_assert(offsetof(fp_attention_args, rows_offset) == 128);
static_assert(offsetof(fp_attention_args, tile_classes) == 132);
static_assert(offsetof(fp_attention_args, launches_merges) == 136);
static_assert(offsetof(fp_attention_args, splits_sms) == 140);
static_assert(offsetof(fp_attention_args, trace_capacity) == 144);
static_assert(offsetof(fp_attention_args, batch_invariant) == 148);
static_assert(offsetof(fp_attention_args, starts_offset) == 152);
static_assert(offsetof(fp_attention_args, q) == 160);
static_assert(offsetof(fp_attention_args, q_token_stride) == 168);
static_assert(offsetof(fp_attention_args, q_head_stride) == 176);
static_assert(offsetof(fp_attention_args, k) == 184);
static_assert(offsetof(fp_attention_args, k_page_stride) == 192);
static_assert(offsetof(fp_attention_args, k_token_stride) == 200);
static_assert(offsetof(fp_attention_args, k_head_stride) == 208);
static_assert(offsetof(fp_attention_args, v) == 216);
static_assert(offsetof(fp_attention_args, v_page_stride) == 224);
static_assert(offsetof(fp_attention_args, v_token_stride) == 232);
static_assert(offsetof(fp_attention_args, v_head_stride) == 240);
static_assert(offsetof(fp_attention_args, q_head_scales) == 248);
static_assert(offsetof(fp_attention_args, k_head_scales) == 256);
static_assert(offsetof(fp_attention_args, v_head_scales) == 264);
static_assert(offsetof(fp_attention_args, out) == 272);
static_assert(offsetof(fp_attention_args, out_token_stride) == 280);
static_assert(offsetof(fp_attention_args, out_head_stride) == 288);
static_assert(offsetof(fp_attention_args, lse) == 296);
static_assert(offsetof(fp_attention_args, kv_indices) == 304);
static_assert(offsetof(fp_attention_args, custom_mask) == 312);
static_assert(offsetof(fp_attention_args, custom_mask_bytes) == 320);
static_assert(offsetof(fp_attention_args, plan) == 328);
static_assert(offsetof(fp_attention_args, plan_bytes) == 336);
static_assert(offsetof(fp_attention_args, workspace) == 344);
static_assert(offsetof(fp_attention_args, workspace_bytes) == 352);
static_assert(offsetof(fp_attention_args, trace) == 360);
static_assert(sizeof(fp_plan_decode_args) == 192);
static_assert(offsetof(fp_plan_decode_args, struct_size) == 0);
static_assert(offsetof(fp_plan_decode_args, max_requests) == 4);
static_assert(offsetof(fp_plan_decode_args, max_tokens) == 8);
static_assert(offsetof(fp_plan_decode_args, max_qo_len) == 12);
static_assert(offsetof(fp_plan_decode_args, group_size) == 16);
static_assert(offsetof(fp_plan_decode_args, num_kv_heads) == 20);
static_assert(offsetof(fp_plan_decode_args, page_size) == 24);
static_assert(offsetof(fp_plan_decode_args, max_kv_indices) == 28);
static_assert(offsetof(fp_plan_decode_args, causal) == 32);
static_assert(offsetof(fp_plan_decode_args, window_left) == 36);
static_assert(offsetof(fp_plan_decode_args, window_right) == 40);
static_assert(offsetof(fp_plan_decode_args, kv_tile) == 44);
static_assert(offsetof(fp_plan_decode_args, token_cost) == 48);
static_assert(offsetof(fp_plan_decode_args, item_cost) == 52);
static_assert(offsetof(fp_plan_decode_args, partial_row_cost) == 56);
static_assert(offsetof(fp_plan_decode_args, shares_bandwidth) == 60);
static_assert(offsetof(fp_plan_decode_args, appends) == 64);
static_assert(offsetof(fp_plan_decode_args, num_ctas) == 68);
static_assert(offsetof(fp_plan_decode_args, max_tiles) == 72);
static_assert(offsetof(fp_plan_decode_args, max_work_items) == 76);
static_assert(offsetof(fp_plan_decode_args, max_merges) == 80);
static_assert(offsetof(fp_plan_decode_args, max_partials) == 84);
static_assert(offsetof(fp_plan_decode_args, max_partial_rows) == 88);
static_assert(offsetof(fp_plan_decode_args, tiles_offset) == 92);
static_assert(offsetof(fp_plan_decode_args, work_offset) == 96);
static_assert(offsetof(fp_plan_decode_args, cta_begin_offset) == 100);
static_assert(offsetof(fp_plan_decode_args, merges_offset) == 104);
static_assert(offsetof(fp_plan_decode_args, partials_offset) == 108);
static_assert(offsetof(fp_plan_decode_args, starts_offset) == 112);
static_assert(offsetof(fp_plan_decode_args, reserved) == 116);
static_assert(offsetof(fp_plan_decode_args, qo_indptr) == 120);
static_assert(offsetof(fp_plan_decode_args, page_indptr) == 128);
static_assert(offsetof(fp_plan_decode_args, last_page_len) == 136);
static_assert(offsetof(fp_plan_decode_args, kv_lens) == 144);
static_assert(offsetof(fp_plan_decode_args, kv_indices) == 152);
static_assert(offsetof(fp_plan_decode_args, slots) == 160);
static_assert(offsetof(fp_plan_decode_args, positions) == 168);
static_assert(offsetof(fp_plan_decode_args, plan) == 176);
static_assert(offsetof(fp_plan_decode_args, plan_bytes) == 184);
static_assert(sizeof(fp_merge_states_args) == 56);
static_assert(offsetof(fp_merge_states_args, struct_size) == 0);
static_assert(offsetof(fp_merge_states_args, dtype) == 4);
static_assert(offsetof(fp_merge_states_args, num_rows) == 8);
static_assert(offsetof(fp_merge_states_args, num_states) == 12);
static_assert(offsetof(fp_merge_states_args, head_dim) == 16);
static_assert(offsetof(fp_merge_states_args, reserved) == 20);
static_assert(offsetof(fp_merge_states_args, states) == 24);
static_assert(offsetof(fp_merge_states_args, states_lse) == 32);
static_assert(offsetof(fp_merge_states_args, out) == 40);
static_assert(offsetof(fp_merge_states_args, lse) == 48);
static_assert(sizeof(fp_kv_append_args) == 208);
static_assert(offsetof(fp_kv_append_args, struct_size) == 0);
static_assert(offsetof(fp_kv_append_args, dtype) == 4);
static_assert(offsetof(fp_kv_append_args, cache_dtype) == 8);
static_assert(offsetof(fp_kv_append_args, num_tokens) == 12);
static_assert(offsetof(fp_kv_append_args, num_kv_heads) == 16);
static_assert(offsetof(fp_kv_append_args, head_dim_qk) == 20);
static_assert(offsetof(fp_kv_append_args, head_dim_vo) == 24);
static_assert(offsetof(fp_kv_append_args, page_size) == 28);
static_assert(offsetof(fp_kv_append_args, num_pages) == 32);
static_assert(offsetof(fp_kv_append_args, rotary_dim) == 36);
static_assert(offsetof(fp_kv_append_args, rope_interleaved) == 40);
static_assert(offsetof(fp_kv_append_args, k_scale) == 44);
static_assert(offsetof(fp_kv_append_args, v_scale) == 48);
static_assert(offsetof(fp_kv_append_args, reserved) == 52);
static_assert(offsetof(fp_kv_append_args, k) == 56);
static_assert(offsetof(fp_kv_append_args, k_token_stride) == 64);
static_assert(offsetof(fp_kv_append_args, k_head_stride) == 72);
static_assert(offsetof(fp_kv_append_args, v) == 80);
static_assert(offsetof(fp_kv_append_args, v_token_stride) == 88);
static_assert(offsetof(fp_kv_append_args, v_head_stride) == 96);
static_assert(offsetof(fp_kv_append_args, k_cache) == 104);
static_assert(offsetof(fp_kv_append_args, k_page_stride) == 112);
static_assert(offsetof(fp_kv_append_args, k_cache_token_stride) == 120);
static_assert(offsetof(fp_kv_append_args, k_cache_head_stride) == 128);
static_assert(offsetof(fp_kv_append_args, v_cache) == 136);
static_assert(offsetof(fp_kv_append_args, v_page_stride) == 144);
static_assert(offsetof(fp_kv_append_args, v_cache_token_stride) == 152);
static_assert(offsetof(fp_kv_append_args, v_cache_head_stride) == 160);
static_assert(offsetof(fp_kv_append_args, k_head_scales) == 168);
static_assert(offsetof(fp_kv_append_args, v_head_scales) == 176);
static_assert(offsetof(fp_kv_append_args, slots) == 184);
static_assert(offsetof(fp_kv_append_args, positions) == 192);
static_assert(offsetof(fp_kv_append_args, inv_freq) == 200);
static_assert(sizeof(fp_kv_copy_pages_args) == 104);
static_assert(offsetof(fp_kv_copy_pages_args, struct_size) == 0);
static_assert(offsetof(fp_kv_copy_pages_args, dtype) == 4);
static_assert(offsetof(fp_kv_copy_pages_args, num_copies) == 8);
static_assert(offsetof(fp_kv_copy_pages_args, num_kv_heads) == 12);
static_assert(offsetof(fp_kv_copy_pages_args, head_dim_qk) == 16);
static_assert(offsetof(fp_kv_copy_pages_args, head_dim_vo) == 20);
static_assert(offsetof(fp_kv_copy_pages_args, page_size) == 24);
static_assert(offsetof(fp_kv_copy_pages_args, num_pages) == 28);
static_assert(offsetof(fp_kv_copy_pages_args, k_cache) == 32);
static_assert(offsetof(fp_kv_copy_pages_args, k_page_stride) == 40);
static_assert(offsetof(fp_kv_copy_pages_args, k_cache_token_stride) == 48);
static_assert(offsetof(fp_kv_copy_pages_args, k_cache_head_stride) == 56);
static_assert(offsetof(fp_kv_copy_pages_args, v_cache) == 64);
static_assert(offsetof(fp_kv_copy_pages_args, v_page_stride) == 72);
static_assert(offsetof(fp_kv_copy_pages_args, v_cache_token_stride) == 80);
static_assert(offsetof(fp_kv_copy_pages_args, v_cache_head_stride) == 88);
static_assert(offsetof(fp_kv_copy_pages_args, pairs) == 96);
static_assert(sizeof(fp_rms_norm_args) == 80);
static_assert(offsetof(fp_rms_norm_args, struct_size) == 0);
static_assert(offsetof(fp_rms_norm_args, dtype) == 4);
static_assert(offsetof(fp_rms_norm_args, num_rows) == 8);
static_assert(offsetof(fp_rms_norm_args, dim) == 12);
static_assert(offsetof(fp_rms_norm_args, eps) == 16);
static_assert(offsetof(fp_rms_norm_args, reserved) == 20);
static_assert(offsetof(fp_rms_norm_args, x) == 24);
static_assert(offsetof(fp_rms_norm_args, x_row_stride) == 32);
static_assert(offsetof(fp_rms_norm_args, residual) == 40);
static_assert(offsetof(fp_rms_norm_args, residual_row_stride) == 48);
static_assert(offsetof(fp_rms_norm_args, weight) == 56);
static_assert(offsetof(fp_rms_norm_args, out) == 64);
static_assert(offsetof(fp_rms_norm_args, out_row_stride) == 72);
static_assert(sizeof(fp_rope_args) == 72);
static_assert(offsetof(fp_rope_args, struct_size) == 0);
static_assert(offsetof(fp_rope_args, dtype) == 4);
static_assert(offsetof(fp_rope_args, num_tokens) == 8);
static_assert(offsetof(fp_rope_args, num_heads) == 12);
static_assert(offsetof(fp_rope_args, head_dim) == 16);
static_assert(offsetof(fp_rope_args, rotary_dim) == 20);
static_assert(offsetof(fp_rope_args, interleaved) == 24);
static_assert(offsetof(fp_rope_args, reserved) == 28);
static_assert(offsetof(fp_rope_args, x) == 32);
static_assert(offsetof(fp_rope_args, x_token_stride) == 40);
static_assert(offsetof(fp_rope_args, x_head_stride) == 48);
static_assert(offsetof(fp_rope_args, positions) == 56);
static_assert(offsetof(fp_rope_args, inv_freq) == 64);
static_assert(sizeof(fp_silu_and_mul_args) == 48);
static_assert(offsetof(fp_silu_and_mul_args, struct_size) == 0);
static_assert(offsetof(fp_silu_and_mul_args, dtype) == 4);
static_assert(offsetof(fp_silu_and_mul_args, num_rows) == 8);
static_assert(offsetof(fp_silu_and_mul_args, dim) == 12);
static_assert(offsetof(fp_silu_and_mul_args, x) == 16);
static_assert(offsetof(fp_silu_and_mul_args, x_row_stride) == 24);
static_assert(offsetof(fp_silu_and_mul_args, out) == 32);
static_assert(offsetof(fp_silu_and_mul_args, out_row_stride) == 40);
static_assert(sizeof(fp_embedding_args) == 48);
static_assert(offsetof(fp_embedding_args, struct_size) == 0);
static_assert(offsetof(fp_embedding_args, dtype) == 4);
static_assert(offsetof(fp_embedding_args, num_tokens) == 8);
static_assert(offsetof(fp_embedding_args, vocab_size) == 12);
static_assert(offsetof(fp_embedding_args, dim) == 16);
static_assert(offsetof(fp_embedding_args, reserved) == 20);
static_assert(offsetof(fp_embedding_args, ids) == 24);
static_assert(offsetof(fp_embedding_args, table) == 32);
static_assert(offsetof(fp_embedding_args, out) == 40);
static_assert(sizeof(fp_linear_args) == 72);
static_assert(offsetof(fp_linear_args, struct_size) == 0);
static_assert(offsetof(fp_linear_args, dtype) == 4);
static_assert(offsetof(fp_linear_args, out_dtype) == 8);
static_assert(offsetof(fp_linear_args, num_rows) == 12);
static_assert(offsetof(fp_linear_args, in_dim) == 16);
static_assert(offsetof(fp_linear_args, out_dim) == 20);
static_assert(offsetof(fp_linear_args, x) == 24);
static_assert(offsetof(fp_linear_args, x_row_stride) == 32);
static_assert(offsetof(fp_linear_args, weight) == 40);
static_assert(offsetof(fp_linear_args, bias) == 48);
static_assert(offsetof(fp_linear_args, out) == 56);
static_assert(offsetof(fp_linear_args, out_row_stride) == 64);
static_assert(sizeof(fp_argmax_args) == 40);
static_assert(offsetof(fp_argmax_args, struct_size) == 0);
static_assert(offsetof(fp_argmax_args, dtype) == 4);
static_assert(offsetof(fp_argmax_args, num_rows) == 8);
static_assert(offsetof(fp_argmax_args, vocab_size) == 12);
static_assert(offsetof(fp_argmax_args, logits) == 16);
static_assert(offsetof(fp_argmax_args, logits_row_stride) == 24);
static_assert(offsetof(fp_argmax_args, out) == 32);
static_assert(sizeof(fp_sampling_row) == 24);
static_assert(offsetof(fp_sampling_row, temperature) == 0);
static_assert(offsetof(fp_sampling_row, top_k) == 4);
static_assert(offsetof(fp_sampling_row, top_p) == 8);
static_assert(offsetof(fp_sampling_row, seed_lo) == 12);
static_assert(offsetof(fp_sampling_row, seed_hi) == 16);
static_assert(offsetof(fp_sampling_row, step) == 20);
static_assert(sizeof(fp_sample_args) == 48);
static_assert(offsetof(fp_sample_args, struct_size) == 0);
static_assert(offsetof(fp_sample_args, dtype) == 4);
static_assert(offsetof(fp_sample_args, num_rows) == 8);
static_assert(offsetof(fp_sample_args, vocab_size) == 12);
static_assert(offsetof(fp_sample_args, logits) == 16);
static_assert(offsetof(fp_sample_args, logits_row_stride) == 24);
static_assert(offsetof(fp_sample_args, rows) == 32);
static_assert(offsetof(fp_sample_args, out) == 40);

enum class Kind { i32, u32, f32, f64 };

struct Field {
  Kind kind;
  size_t offset;
};

struct Struct {
  size_t size;
  const Field *fields;
  int num_fields;
};

inline constexpr Field fp_device_info_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
};
inline constexpr Field fp_memory_usage_fields[] = {
    {static_cast<Kind>(3), 0},
    {static_cast<Kind>(3), 8},
    {static_cast<Kind>(3), 16},
    {static_cast<Kind>(3), 24},
};
inline constexpr Field fp_plan_header_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(0), 44},
    {static_cast<Kind>(0), 48},
    {static_cast<Kind>(0), 52},
    {static_cast<Kind>(0), 56},
    {static_cast<Kind>(0), 60},
};
inline constexpr Field fp_row_tile_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(0), 44},
};
inline constexpr Field fp_work_item_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
};
inline constexpr Field fp_merge_item_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
};
inline constexpr Field fp_cta_start_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(0), 44},
};
inline constexpr Field fp_row_entry_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(0), 4},
};
inline constexpr Field fp_trace_header_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(1), 4},
    {static_cast<Kind>(1), 8},
    {static_cast<Kind>(1), 12},
};
inline constexpr Field fp_trace_record_fields[] = {
    {static_cast<Kind>(0), 0},
    {static_cast<Kind>(1), 4},
    {static_cast<Kind>(1), 8},
    {static_cast<Kind>(1), 12},
    {static_cast<Kind>(1), 16},
    {static_cast<Kind>(1), 20},
    {static_cast<Kind>(1), 24},
    {static_cast<Kind>(1), 28},
};
inline constexpr Field fp_attention_limits_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
};
inline constexpr Field fp_attention_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(0), 44},
    {static_cast<Kind>(0), 48},
    {static_cast<Kind>(0), 52},
    {static_cast<Kind>(0), 56},
    {static_cast<Kind>(2), 60},
    {static_cast<Kind>(2), 64},
    {static_cast<Kind>(2), 68},
    {static_cast<Kind>(2), 72},
    {static_cast<Kind>(2), 76},
    {static_cast<Kind>(0), 80},
    {static_cast<Kind>(0), 84},
    {static_cast<Kind>(0), 88},
    {static_cast<Kind>(0), 92},
    {static_cast<Kind>(0), 96},
    {static_cast<Kind>(0), 100},
    {static_cast<Kind>(0), 104},
    {static_cast<Kind>(0), 108},
    {static_cast<Kind>(0), 112},
    {static_cast<Kind>(0), 116},
    {static_cast<Kind>(0), 120},
    {static_cast<Kind>(0), 124},
    {static_cast<Kind>(0), 128},
    {static_cast<Kind>(0), 132},
    {static_cast<Kind>(0), 136},
    {static_cast<Kind>(0), 140},
    {static_cast<Kind>(0), 144},
    {static_cast<Kind>(0), 148},
    {static_cast<Kind>(0), 152},
    {static_cast<Kind>(3), 160},
    {static_cast<Kind>(3), 168},
    {static_cast<Kind>(3), 176},
    {static_cast<Kind>(3), 184},
    {static_cast<Kind>(3), 192},
    {static_cast<Kind>(3), 200},
    {static_cast<Kind>(3), 208},
    {static_cast<Kind>(3), 216},
    {static_cast<Kind>(3), 224},
    {static_cast<Kind>(3), 232},
    {static_cast<Kind>(3), 240},
    {static_cast<Kind>(3), 248},
    {static_cast<Kind>(3), 256},
    {static_cast<Kind>(3), 264},
    {static_cast<Kind>(3), 272},
    {static_cast<Kind>(3), 280},
    {static_cast<Kind>(3), 288},
    {static_cast<Kind>(3), 296},
    {static_cast<Kind>(3), 304},
    {static_cast<Kind>(3), 312},
    {static_cast<Kind>(3), 320},
    {static_cast<Kind>(3), 328},
    {static_cast<Kind>(3), 336},
    {static_cast<Kind>(3), 344},
    {static_cast<Kind>(3), 352},
    {static_cast<Kind>(3), 360},
};
inline constexpr Field fp_plan_decode_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(0), 44},
    {static_cast<Kind>(0), 48},
    {static_cast<Kind>(0), 52},
    {static_cast<Kind>(0), 56},
    {static_cast<Kind>(0), 60},
    {static_cast<Kind>(0), 64},
    {static_cast<Kind>(0), 68},
    {static_cast<Kind>(0), 72},
    {static_cast<Kind>(0), 76},
    {static_cast<Kind>(0), 80},
    {static_cast<Kind>(0), 84},
    {static_cast<Kind>(0), 88},
    {static_cast<Kind>(0), 92},
    {static_cast<Kind>(0), 96},
    {static_cast<Kind>(0), 100},
    {static_cast<Kind>(0), 104},
    {static_cast<Kind>(0), 108},
    {static_cast<Kind>(0), 112},
    {static_cast<Kind>(0), 116},
    {static_cast<Kind>(3), 120},
    {static_cast<Kind>(3), 128},
    {static_cast<Kind>(3), 136},
    {static_cast<Kind>(3), 144},
    {static_cast<Kind>(3), 152},
    {static_cast<Kind>(3), 160},
    {static_cast<Kind>(3), 168},
    {static_cast<Kind>(3), 176},
    {static_cast<Kind>(3), 184},
};
inline constexpr Field fp_merge_states_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
    {static_cast<Kind>(3), 48},
};
inline constexpr Field fp_kv_append_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(0), 32},
    {static_cast<Kind>(0), 36},
    {static_cast<Kind>(0), 40},
    {static_cast<Kind>(2), 44},
    {static_cast<Kind>(2), 48},
    {static_cast<Kind>(0), 52},
    {static_cast<Kind>(3), 56},
    {static_cast<Kind>(3), 64},
    {static_cast<Kind>(3), 72},
    {static_cast<Kind>(3), 80},
    {static_cast<Kind>(3), 88},
    {static_cast<Kind>(3), 96},
    {static_cast<Kind>(3), 104},
    {static_cast<Kind>(3), 112},
    {static_cast<Kind>(3), 120},
    {static_cast<Kind>(3), 128},
    {static_cast<Kind>(3), 136},
    {static_cast<Kind>(3), 144},
    {static_cast<Kind>(3), 152},
    {static_cast<Kind>(3), 160},
    {static_cast<Kind>(3), 168},
    {static_cast<Kind>(3), 176},
    {static_cast<Kind>(3), 184},
    {static_cast<Kind>(3), 192},
    {static_cast<Kind>(3), 200},
};
inline constexpr Field fp_kv_copy_pages_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
    {static_cast<Kind>(3), 48},
    {static_cast<Kind>(3), 56},
    {static_cast<Kind>(3), 64},
    {static_cast<Kind>(3), 72},
    {static_cast<Kind>(3), 80},
    {static_cast<Kind>(3), 88},
    {static_cast<Kind>(3), 96},
};
inline constexpr Field fp_rms_norm_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(2), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
    {static_cast<Kind>(3), 48},
    {static_cast<Kind>(3), 56},
    {static_cast<Kind>(3), 64},
    {static_cast<Kind>(3), 72},
};
inline constexpr Field fp_rope_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(0), 24},
    {static_cast<Kind>(0), 28},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
    {static_cast<Kind>(3), 48},
    {static_cast<Kind>(3), 56},
    {static_cast<Kind>(3), 64},
};
inline constexpr Field fp_silu_and_mul_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(3), 16},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
};
inline constexpr Field fp_embedding_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
};
inline constexpr Field fp_linear_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(0), 16},
    {static_cast<Kind>(0), 20},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
    {static_cast<Kind>(3), 48},
    {static_cast<Kind>(3), 56},
    {static_cast<Kind>(3), 64},
};
inline constexpr Field fp_argmax_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(3), 16},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
};
inline constexpr Field fp_sampling_row_fields[] = {
    {static_cast<Kind>(2), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(2), 8},
    {static_cast<Kind>(1), 12},
    {static_cast<Kind>(1), 16},
    {static_cast<Kind>(1), 20},
};
inline constexpr Field fp_sample_args_fields[] = {
    {static_cast<Kind>(1), 0},
    {static_cast<Kind>(0), 4},
    {static_cast<Kind>(0), 8},
    {static_cast<Kind>(0), 12},
    {static_cast<Kind>(3), 16},
    {static_cast<Kind>(3), 24},
    {static_cast<Kind>(3), 32},
    {static_cast<Kind>(3), 40},
};

inline constexpr Struct structs[] = {
    {48, fp_device_info_fields, 9},
    {32, fp_memory_usage_fields, 4},
    {64, fp_plan_header_fields, 16},
    {48, fp_row_tile_fields, 12},
    {32, fp_work_item_fields, 8},
    {32, fp_merge_item_fields, 8},
    {48, fp_cta_start_fields, 12},
    {8, fp_row_entry_fields, 2},
    {16, fp_trace_header_fields, 4},
    {32, fp_trace_record_fields, 8},
    {32, fp_attention_limits_fields, 8},
    {368, fp_attention_args_fields, 65},
    {192, fp_plan_decode_args_fields, 39},
    {56, fp_merge_states_args_fields, 10},
    {208, fp_kv_append_args_fields, 33},
    {104, fp_kv_copy_pages_args_fields, 17},
    {80, fp_rms_norm_args_fields, 13},
    {72, fp_rope_args_fields, 13},
    {48, fp_silu_and_mul_args_fields, 8},
    {48, fp_embedding_args_fields, 9},
    {72, fp_linear_args_fields, 12},
    {40, fp_argmax_args_fields, 7},
    {24, fp_sampling_row_fields, 6},
    {48, fp_sample_args_fields, 8},
};
inline constexpr int num_structs = sizeof structs / sizeof structs[0];

}  // namespace fp::selftest
