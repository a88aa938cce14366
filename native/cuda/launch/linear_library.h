// linear_library.h: cuBLASLt, if the machine has it, for matrix products. Not a dependency: without it, or where it knows no way,
// the own kernel runs. Declared by us, with the values of the cuBLAS library reference; nothing of it is needed to build.
#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "cuda.h"

namespace fp::cuda {

class LinearLibrary {
 public:
  LinearLibrary() = default;
  ~LinearLibrary();
  LinearLibrary(const LinearLibrary &) = delete;
  LinearLibrary &operator=(const LinearLibrary &) = delete;

  // False: nothing was enqueued, for there is no library, or no algorithm for these shapes.
  bool run(const Launch &launch, const fp_linear_args &args);

 private:
  using Handle = struct cublasLtContext *;
  using Operation = struct cublasLtMatmulDescOpaque *;
  using Layout = struct cublasLtMatrixLayoutOpaque *;
  using Preference = struct cublasLtMatmulPreferenceOpaque *;
  using Status = int;
  struct Algorithm {
    uint64_t data[8];
  };
  struct Heuristic {  // cublasLtMatmulHeuristicResult_t
    Algorithm algorithm;
    size_t workspace_bytes;
    Status state;
    float waves;
    int reserved[4];
  };
  static_assert(sizeof(Heuristic) == 96);

#define FLASHPAGE_CUBLASLT_FUNCTIONS(X)                                                                                       \
  X(cublasLtCreate, (Handle * handle))                                                                                        \
  X(cublasLtDestroy, (Handle handle))                                                                                         \
  X(cublasLtMatmulDescCreate, (Operation * operation, int compute_type, int scale_type))                                      \
  X(cublasLtMatmulDescDestroy, (Operation operation))                                                                         \
  X(cublasLtMatmulDescSetAttribute, (Operation operation, int attribute, const void *value, size_t num_bytes))                \
  X(cublasLtMatrixLayoutCreate, (Layout * layout, int type, uint64_t rows, uint64_t columns, int64_t leading_dimension))      \
  X(cublasLtMatrixLayoutDestroy, (Layout layout))                                                                             \
  X(cublasLtMatmulPreferenceCreate, (Preference * preference))                                                                \
  X(cublasLtMatmulPreferenceDestroy, (Preference preference))                                                                 \
  X(cublasLtMatmulPreferenceSetAttribute, (Preference preference, int attribute, const void *value, size_t num_bytes))        \
  X(cublasLtMatmulAlgoGetHeuristic, (Handle handle, Operation operation, Layout a, Layout b, Layout c, Layout d,              \
                                     Preference preference, int num_wanted, Heuristic *results, int *num_found))              \
  X(cublasLtMatmul, (Handle handle, Operation operation, const void *alpha, const void *a, Layout a_layout, const void *b,    \
                     Layout b_layout, const void *beta, const void *c, Layout c_layout, void *d, Layout d_layout,             \
                     const Algorithm *algorithm, void *workspace, size_t workspace_bytes, CUstream stream))

  struct Functions {
#define FLASHPAGE_CUBLASLT_FIELD(name, parameters) Status(*name) parameters = nullptr;
    FLASHPAGE_CUBLASLT_FUNCTIONS(FLASHPAGE_CUBLASLT_FIELD)
#undef FLASHPAGE_CUBLASLT_FIELD
  };

  // What an algorithm depends on. All fields are of one size, so that the bytes can be compared.
  struct Shape {
    int64_t num_rows, in_dim, out_dim, x_row_stride, out_row_stride;
    int64_t dtype, out_dtype, has_bias;
    int64_t x_alignment, weight_alignment, bias_alignment, out_alignment;
    bool operator==(const Shape &) const = default;
  };
  struct ShapeHash {
    size_t operator()(const Shape &shape) const;
  };
  struct Product {
    bool usable = false;
    Operation operation = nullptr;
    Layout weight = nullptr, x = nullptr, out = nullptr;
    Algorithm algorithm{};
    size_t workspace_bytes = 0;
  };

  bool open();
  void *find_library(const char *path) const;
  bool load_functions(void *library);
  Product &find_product(const Shape &shape, const void *bias);
  void prepare(const Shape &shape, const void *bias, Product &product);
  void set_bias(const Product &product, const void *bias) const;
  void check(Status status, const char *doing) const;
  void forget_products() noexcept;

  enum class State { unknown, ready, absent };
  State state_ = State::unknown;
  Functions lt_;
  Handle handle_ = nullptr;
  std::unordered_map<Shape, Product, ShapeHash> products_;
};

}  // namespace fp::cuda
