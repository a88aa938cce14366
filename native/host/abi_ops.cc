// abi_ops.cc: the operations. Each is: find the stream, take a copy of the args, check them, enqueue.
#include <cstring>

#include "check.h"
#include "guard.h"
#include "objects.h"

using namespace fp;

namespace {

template <typename Args>
fp_status enqueue(const char *action, const char *struct_name, fp_handle stream, const void *args, bool (*check)(Checker &, const Args &),
                  void (Stream::*run)(const Args &)) {
  return guarded(action, [&] {
    auto locked = lock_stream(stream);
    if (!args) fail(FP_INVALID_ARGUMENT, "args is null.");
    Args copy;  // what was checked is what runs, whatever the caller does with its buffer meanwhile
    std::memcpy(&copy.struct_size, args, sizeof copy.struct_size);
    check_struct_size(copy.struct_size, sizeof copy, struct_name);
    std::memcpy(&copy, args, sizeof copy);
    Checker checker(*locked->device, locked.object.get());
    if (!check(checker, copy)) return FP_OK;
    if (!locked->capturing) ++locked->enqueued;
    (locked->backend.get()->*run)(copy);
    return FP_OK;
  });
}

}  // namespace

FP_API fp_status fp_attention_run(fp_handle stream, const void *args) {
  return enqueue("run attention", "fp_attention_args", stream, args, check_attention, &Stream::attention);
}

FP_API fp_status fp_merge_states(fp_handle stream, const void *args) {
  return enqueue("merge attention states", "fp_merge_states_args", stream, args, check_merge_states, &Stream::merge_states);
}

FP_API fp_status fp_plan_decode(fp_handle stream, const void *args) {
  return enqueue("plan on the device", "fp_plan_decode_args", stream, args, check_plan_decode, &Stream::plan_decode);
}

FP_API fp_status fp_kv_append(fp_handle stream, const void *args) {
  return enqueue("append to the KV cache", "fp_kv_append_args", stream, args, check_kv_append, &Stream::kv_append);
}

FP_API fp_status fp_kv_copy_pages(fp_handle stream, const void *args) {
  return enqueue("copy pages of the KV cache", "fp_kv_copy_pages_args", stream, args, check_kv_copy_pages, &Stream::kv_copy_pages);
}

FP_API fp_status fp_rms_norm(fp_handle stream, const void *args) {
  return enqueue("run rmsNorm", "fp_rms_norm_args", stream, args, check_rms_norm, &Stream::rms_norm);
}

FP_API fp_status fp_rope(fp_handle stream, const void *args) {
  return enqueue("run rope", "fp_rope_args", stream, args, check_rope, &Stream::rope);
}

FP_API fp_status fp_silu_and_mul(fp_handle stream, const void *args) {
  return enqueue("run siluAndMul", "fp_silu_and_mul_args", stream, args, check_silu_and_mul, &Stream::silu_and_mul);
}

FP_API fp_status fp_embedding(fp_handle stream, const void *args) {
  return enqueue("look up embeddings", "fp_embedding_args", stream, args, check_embedding, &Stream::embedding);
}

FP_API fp_status fp_linear(fp_handle stream, const void *args) {
  return enqueue("run linear", "fp_linear_args", stream, args, check_linear, &Stream::linear);
}

FP_API fp_status fp_argmax(fp_handle stream, const void *args) {
  return enqueue("run argmax", "fp_argmax_args", stream, args, check_argmax, &Stream::argmax);
}

FP_API fp_status fp_sample(fp_handle stream, const void *args) {
  return enqueue("sample", "fp_sample_args", stream, args, check_sample, &Stream::sample);
}
