#include "linear_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../../host/error.h"

namespace fp::cuda {
namespace {

// Of the library's enums, by their names there.
enum { CUBLAS_COMPUTE_32F = 68 };
enum { CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14 };
enum { CUBLAS_OP_T = 1 };
enum {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
  CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE = 26,
};
enum { CUBLASLT_EPILOGUE_BIAS = 4 };
enum {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};
enum { CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };
enum { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_NOT_SUPPORTED = 15 };

constexpr size_t workspace_bytes = size_t{32} << 20;  // what the library's notes advise for Hopper
constexpr size_t most_products = 4096;

int data_type(int64_t dtype) { return dtype == FP_F32 ? CUDA_R_32F : dtype == FP_F16 ? CUDA_R_16F : CUDA_R_16BF; }

int64_t alignment_of(fp_address address) {
  const uint64_t bits = static_cast<uint64_t>(address);
  return std::min<int64_t>(256, static_cast<int64_t>(bits & (~bits + 1)));
}

}  // namespace

LinearLibrary::~LinearLibrary() {
  forget_products();
  if (handle_) lt_.cublasLtDestroy(handle_);
}

void LinearLibrary::check(Status status, const char *doing) const {
  if (status != CUBLAS_STATUS_SUCCESS) fail(FP_DEVICE_ERROR, "%s: cuBLASLt returned status %d. FLASHPAGE_CUBLASLT=off avoids it.", doing, status);
}

// The library stays loaded until the process ends: it keeps state of its own about the context.
void *LinearLibrary::find_library(const char *path) const {
  if (path && *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *reason = dlerror();
      fail(FP_UNAVAILABLE, "FLASHPAGE_CUBLASLT names a library that does not load: %s. Correct the path, or set it to off.", reason ? reason : path);
    }
    return library;
  }
  for (const char *name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "/usr/local/cuda/lib64/libcublasLt.so"}) {
    if (void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

bool LinearLibrary::load_functions(void *library) {
#define FLASHPAGE_CUBLASLT_LOAD(name, parameters)                                  \
  lt_.name = reinterpret_cast<Status(*) parameters>(dlsym(library, #name)); \
  if (!lt_.name) return false;
  FLASHPAGE_CUBLASLT_FUNCTIONS(FLASHPAGE_CUBLASLT_LOAD)
#undef FLASHPAGE_CUBLASLT_LOAD
  return true;
}

bool LinearLibrary::open() {
  if (state_ != State::unknown) return state_ == State::ready;
  const char *setting = getenv("FLASHPAGE_CUBLASLT");
  if (setting && std::strcmp(setting, "off") == 0) {
    state_ = State::absent;
    return false;
  }
  void *library = find_library(setting);
  // A library that has no context to work with is as good as none.
  const bool ready = library && load_functions(library) && lt_.cublasLtCreate(&handle_) == CUBLAS_STATUS_SUCCESS;
  state_ = ready ? State::ready : State::absent;
  return ready;
}

size_t LinearLibrary::ShapeHash::operator()(const Shape &shape) const {
  int64_t words[sizeof(Shape) / sizeof(int64_t)];
  std::memcpy(words, &shape, sizeof words);
  uint64_t hash = 0;
  for (const int64_t word : words) hash = (hash ^ static_cast<uint64_t>(word)) * 0x9E3779B97F4A7C15ull;
  return static_cast<size_t>(hash ^ (hash >> 32));
}

void LinearLibrary::forget_products() noexcept {
  for (auto &[shape, product] : products_) {
    if (product.operation) lt_.cublasLtMatmulDescDestroy(product.operation);
    for (const Layout layout : {product.weight, product.x, product.out}) {
      if (layout) lt_.cublasLtMatrixLayoutDestroy(layout);
    }
  }
  products_.clear();
}

LinearLibrary::Product &LinearLibrary::find_product(const Shape &shape, const void *bias) {
  if (const auto known = products_.find(shape); known != products_.end()) return known->second;
  if (products_.size() >= most_products) forget_products();
  Product &product = products_[shape];
  try {
    prepare(shape, bias, product);
  } catch (...) {
    product.usable = false;
    throw;
  }
  return product;
}

// The library's matrices are column-major. out^T [n, m] = weight^T' [n, k] . x^T [k, m]: weight, stored [n, k] by rows, is a
// column-major [k, n] to be transposed.
void LinearLibrary::prepare(const Shape &shape, const void *bias, Product &product) {
  const auto m = static_cast<uint64_t>(shape.num_rows), n = static_cast<uint64_t>(shape.out_dim), k = static_cast<uint64_t>(shape.in_dim);
  const int type = data_type(shape.dtype), out_type = data_type(shape.out_dtype);
  check(lt_.cublasLtMatmulDescCreate(&product.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a matrix product");
  const auto set = [&](int attribute, int32_t value) {
    return lt_.cublasLtMatmulDescSetAttribute(product.operation, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  if (!set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T)) return;
  if (shape.has_bias) {
    if (!set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS)) return;
    if (type != out_type && !set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type)) return;
    set_bias(product, bias);  // the search looks at its alignment
  }
  check(lt_.cublasLtMatrixLayoutCreate(&product.weight, type, k, n, shape.in_dim), "describing the weight");
  check(lt_.cublasLtMatrixLayoutCreate(&product.x, type, k, m, shape.x_row_stride), "describing x");
  check(lt_.cublasLtMatrixLayoutCreate(&product.out, out_type, n, m, shape.out_row_stride), "describing out");

  Preference preference = nullptr;
  check(lt_.cublasLtMatmulPreferenceCreate(&preference), "preparing the search of an algorithm");
  const uint64_t most_workspace = workspace_bytes;
  bool set_all = lt_.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most_workspace,
                                                          sizeof most_workspace) == CUBLAS_STATUS_SUCCESS;
  // The parts of a split k are added up in f32: in out's own type each would be rounded first. With a bias k is not split at all: the
  // library rounds the sum before it adds the bias (seen with 13.1: errors of up to 6 units in the last place).
  const uint32_t reductions = shape.has_bias ? 0 : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  set_all = set_all && lt_.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
                                                                sizeof reductions) == CUBLAS_STATUS_SUCCESS;
  const std::pair<int, int64_t> alignments[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.weight_alignment},
                                                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.x_alignment},
                                                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.out_alignment},
                                                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.out_alignment}};
  for (const auto &[attribute, bytes] : alignments) {
    const auto value = static_cast<uint32_t>(bytes);
    set_all = set_all && lt_.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  }
  Heuristic found{};
  int num_found = 0;
  const bool searched = set_all && lt_.cublasLtMatmulAlgoGetHeuristic(handle_, product.operation, product.weight, product.x, product.out, product.out,
                                                                      preference, 1, &found, &num_found) == CUBLAS_STATUS_SUCCESS;
  lt_.cublasLtMatmulPreferenceDestroy(preference);
  if (!searched || num_found < 1 || found.state != CUBLAS_STATUS_SUCCESS) return;
  product.algorithm = found.algorithm;
  product.workspace_bytes = found.workspace_bytes;
  product.usable = true;
}

void LinearLibrary::set_bias(const Product &product, const void *bias) const {
  check(lt_.cublasLtMatmulDescSetAttribute(product.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), "setting the bias");
}

bool LinearLibrary::run(const Launch &launch, const fp_linear_args &args) {
  if (!open()) return false;
  // A row stride of a single row means nothing, and the library wants it to be at least the row.
  const auto stride = [&](double row_stride, int dim) { return args.num_rows == 1 ? dim : static_cast<int64_t>(row_stride); };
  const Shape shape{args.num_rows,
                    args.in_dim,
                    args.out_dim,
                    stride(args.x_row_stride, args.in_dim),
                    stride(args.out_row_stride, args.out_dim),
                    args.dtype,
                    args.out_dtype,
                    args.bias != 0,
                    alignment_of(args.x),
                    alignment_of(args.weight),
                    args.bias != 0 ? alignment_of(args.bias) : 0,
                    alignment_of(args.out)};
  if (shape.x_row_stride < args.in_dim) return false;  // rows that overlap, which the library refuses
  const void *bias = at(args.bias);
  Product &product = find_product(shape, bias);
  if (!product.usable) return false;
  if (bias) set_bias(product, bias);
  void *workspace = product.workspace_bytes ? scratch_memory(launch, workspace_bytes) : nullptr;
  const float one = 1, zero = 0;
  const Status status = lt_.cublasLtMatmul(handle_, product.operation, &one, at(args.weight), product.weight, at(args.x), product.x, &zero, at(args.out),
                                           product.out, at(args.out), product.out, &product.algorithm, workspace,
                                           workspace ? workspace_bytes : 0, launch.stream);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) {
    product.usable = false;
    return false;
  }
  check(status, "launching a matrix product");
  return true;
}

}  // namespace fp::cuda
