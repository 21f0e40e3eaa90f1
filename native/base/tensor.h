// SPDX-License-Identifier: Apache-2.0
// DType, Shape and Tensor: a view of dense row-major memory. None of them owns anything.
#ifndef TEALIGHT_BASE_TENSOR_H_
#define TEALIGHT_BASE_TENSOR_H_

#include <stddef.h>
#include <stdint.h>

namespace tealight {

// Values equal tl_dtype and schema::DType.
enum class DType : uint8_t {
  kNone = 0,
  kFloat32,
  kFloat16,
  kFloat64,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool,
  kBfloat16,
  kInt4,
  kUint4
};

/// Bytes of one element; 0 for kNone and the 4-bit types.
inline size_t DTypeSize(DType dtype) {
  static constexpr uint8_t kSizes[16] = {0, 4, 2, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 0, 0};
  return kSizes[static_cast<size_t>(dtype) & 15];
}
/// "float32", "int8", ...
const char* DTypeName(DType dtype);

constexpr int kMaxRank = 8;

struct Shape {
  int rank = 0;
  int64_t dims[kMaxRank] = {};

  int64_t& operator[](int i) { return dims[i]; }
  int64_t operator[](int i) const { return dims[i]; }
  /// The last dim; 1 for a scalar.
  int64_t back() const { return rank == 0 ? 1 : dims[rank - 1]; }
  /// Product of dims [begin, end); 1 when empty.
  int64_t Product(int begin, int end) const {
    int64_t n = 1;
    for (int i = begin; i < end; ++i) n *= dims[i];
    return n;
  }
  int64_t Elements() const { return Product(0, rank); }
  void Append(int64_t dim) { dims[rank++] = dim; }
  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i) {
      if (dims[i] != other.dims[i]) return false;
    }
    return true;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }
};

// Values equal schema::Layout.
enum class Layout : uint8_t {
  kPlain = 0,
  kPadN16,
  kGemmN16,
  kDwconvC16,
  kConvTransposeN16,
  kWinogradN16,
  kPadN32,
  kGemmN32K4,
  kDwconvC16R4,
  kConvTransposeN32K4
};

struct Tensor {
  DType dtype = DType::kNone;
  Layout layout = Layout::kPlain;  // only constants are ever not plain
  uint32_t layout_groups = 1;
  bool is_constant = false;  // data is known from Prepare on and never changes
  Shape shape;               // the logical shape
  void* data = nullptr;      // null until the session has placed it
  size_t data_bytes = 0;     // of a constant as it is stored, in its layout

  int64_t Elements() const { return shape.Elements(); }
  /// Bytes of the elements in the plain layout.
  size_t Bytes() const { return static_cast<size_t>(Elements()) * DTypeSize(dtype); }
  template <typename T>
  T* As() const {
    return static_cast<T*>(data);
  }
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_TENSOR_H_
