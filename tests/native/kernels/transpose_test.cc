// SPDX-License-Identifier: Apache-2.0
// Transposes of every element size on every path; bytes around the result stay as they were.
#include "kernels/transpose/transpose.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

TEST(Transpose, MovesEveryElementAndNoOtherByte) {
  const size_t shapes[][2] = {{3, 37},  {37, 3}, {3, 3}, {16, 16}, {64, 64}, {33, 70},
                              {70, 33}, {1, 9},  {9, 1}, {17, 16}, {200, 5}};
  for (Isa isa : AllPaths()) {
    for (size_t log2 = 0; log2 < 4; ++log2) {
      for (const auto& shape : shapes) {
        for (size_t gap : {size_t{0}, size_t{3}}) {
          const size_t size = size_t{1} << log2, rows = shape[0], cols = shape[1];
          const size_t src_stride = (cols + gap) * size, dst_stride = (rows + gap) * size;
          Values values(3);
          std::vector<unsigned char> src(rows * src_stride), dst(cols * dst_stride, 0x55);
          for (unsigned char& v : src) v = static_cast<unsigned char>(values.Next() >> 24);
          FindTranspose(isa)->by_log2_bytes[log2](src.data(), static_cast<ptrdiff_t>(src_stride), dst.data(),
                                                  static_cast<ptrdiff_t>(dst_stride), rows, cols);
          size_t wrong = 0;
          for (size_t i = 0; i < rows; ++i) {
            for (size_t j = 0; j < cols; ++j) {
              wrong += memcmp(&src[i * src_stride + j * size], &dst[j * dst_stride + i * size], size) != 0;
            }
          }
          for (size_t j = 0; j < cols; ++j) {
            for (size_t b = rows * size; b < dst_stride; ++b) wrong += dst[j * dst_stride + b] != 0x55;
          }
          EXPECT_EQ(wrong, 0u) << IsaName(isa) << " " << rows << "x" << cols << " of " << size << " bytes, gap " << gap;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tealight
