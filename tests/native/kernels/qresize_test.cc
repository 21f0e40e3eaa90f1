// SPDX-License-Identifier: Apache-2.0
// Integer resampling on every path against plain sums, for every number of taps and length around the vectors'.
#include "kernels/qresize/qresize.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

constexpr size_t kRow = 40;  // elements of a row

struct Operands {
  std::vector<int8_t> bytes = std::vector<int8_t>(9 * kRow);
  std::vector<int32_t> words = std::vector<int32_t>(9 * kRow), weight = std::vector<int32_t>(9);
  Operands() {
    Values values(3);
    for (int8_t& v : bytes) v = static_cast<int8_t>(values.Next() >> 24);
    for (int32_t& v : words) v = static_cast<int32_t>(values.Next()) >> 13;
    for (int32_t& v : weight) v = static_cast<int32_t>(values.Next() >> 20) - 1024;
  }
};

int8_t Rounded(int64_t sum, int shift) {
  const int64_t y = static_cast<int64_t>(floor(static_cast<double>(sum) / static_cast<double>(1 << shift) + 0.5));
  return static_cast<int8_t>(y < -128 ? -128 : y > 127 ? 127 : y);
}

TEST(QResize, RowsAreWeightedSums) {
  const Operands o;
  for (Isa isa : AllPaths()) {
    const QResizeKernels& kernels = *FindQResize(isa);
    for (size_t taps : {1, 2, 3, 4, 7}) {
      const int8_t* byte_rows[7];
      const int32_t* word_rows[7];
      for (size_t t = 0; t < taps; ++t) {
        byte_rows[t] = o.bytes.data() + t * kRow;
        word_rows[t] = o.words.data() + t * kRow;
      }
      for (size_t n = 1; n <= kRow; ++n) {
        std::vector<int32_t> of_bytes(n + 1, 9), of_words = of_bytes;
        std::vector<int8_t> rounded(n + 1, 9), again = rounded;
        kernels.rows_s8(byte_rows, o.weight.data(), taps, n, of_bytes.data());
        kernels.rows_s32(word_rows, o.weight.data(), taps, n, of_words.data());
        for (int shift : {7, 14, 22}) {
          kernels.round_rows_s32(word_rows, o.weight.data(), taps, n, shift, rounded.data());
          kernels.round(of_words.data(), n, shift, again.data());
          for (size_t i = 0; i < n; ++i) {
            int64_t bytes = 0, words = 0;
            for (size_t t = 0; t < taps; ++t) {
              bytes += o.weight[t] * byte_rows[t][i];
              words += int64_t{o.weight[t]} * word_rows[t][i];
            }
            ASSERT_EQ(of_bytes[i], bytes) << IsaName(isa) << " taps " << taps << " n " << n;
            ASSERT_EQ(of_words[i], words) << IsaName(isa) << " taps " << taps << " n " << n;
            ASSERT_EQ(rounded[i], Rounded(words, shift)) << IsaName(isa) << " taps " << taps << " n " << n;
          }
          ASSERT_EQ(rounded, again) << IsaName(isa);
        }
        EXPECT_EQ(of_bytes[n] + of_words[n] + rounded[n], 27);
      }
    }
  }
}

TEST(QResize, ColumnsAreWeightedSums) {
  const Operands o;
  const int32_t index[] = {0, 2, 1, 1, 3, 0, 2, 3};
  for (Isa isa : AllPaths()) {
    for (size_t taps : {1, 2, 4}) {
      for (size_t inner : {1, 3, 16, 21, 40}) {
        const size_t n = 8 / taps;
        std::vector<int32_t> of_bytes(n * inner + 1, 9), of_words = of_bytes;
        FindQResize(isa)->columns_s8(o.bytes.data(), index, o.weight.data(), taps, n, inner, of_bytes.data());
        FindQResize(isa)->columns_s32(o.words.data(), index, o.weight.data(), taps, n, inner, of_words.data());
        for (size_t e = 0; e < n * inner; ++e) {
          int64_t bytes = 0, words = 0;
          for (size_t t = 0; t < taps; ++t) {
            const size_t k = e / inner * taps + t, at = static_cast<size_t>(index[k]) * inner + e % inner;
            bytes += o.weight[k] * o.bytes[at];
            words += int64_t{o.weight[k]} * o.words[at];
          }
          ASSERT_EQ(of_bytes[e], bytes) << IsaName(isa) << " taps " << taps << " inner " << inner;
          ASSERT_EQ(of_words[e], words) << IsaName(isa) << " taps " << taps << " inner " << inner;
        }
        EXPECT_EQ(of_bytes.back() + of_words.back(), 18);
      }
    }
  }
}

}  // namespace
}  // namespace tealight
