// SPDX-License-Identifier: Apache-2.0
// Packing int8 at run time: every path gives the bytes of QGemmPackRhs, reads nothing outside of the operand and
// writes nothing outside of the panel.
#include "kernels/qpack/qpack.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"
#include "kernels/qgemm/qgemm.h"

namespace tealight {
namespace {

void CheckPanel(size_t k, size_t n, bool transposed, uint8_t flip) {
  Values values(static_cast<uint32_t>(k * 64 + n));
  std::vector<int8_t> b(k * n), flipped(k * n);  // of the exact size: a sanitizer sees what is read past it
  for (size_t i = 0; i < k * n; ++i) {
    b[i] = static_cast<int8_t>(values.Next() >> 24);
    flipped[i] = static_cast<int8_t>(b[i] ^ static_cast<int8_t>(flip));
  }
  const size_t stride = transposed ? k : n, words = QGemmPanelBytes(k) / 4;
  std::vector<int32_t> wanted(words + 1, 0x5a5a5a5a);
  QGemmPackRhs(flipped.data(), stride, transposed, k, n, 0, 1, wanted.data());
  for (Isa isa : AllPaths()) {
    std::vector<int32_t> packed(words + 1, 0x5a5a5a5a);
    FindQPack(isa)->panel(b.data(), stride, transposed, flip, k, n, packed.data());
    ASSERT_EQ(packed, wanted) << IsaName(isa) << " k " << k << " n " << n << (transposed ? " transposed" : "");
  }
}

TEST(QPack, PanelsAreThoseOfTheDefinition) {
  for (size_t k : {1, 2, 3, 4, 5, 8, 31, 32, 33, 36, 63, 64, 65, 197}) {
    for (size_t n = 1; n <= 32; ++n) {
      CheckPanel(k, n, false, 0);
      CheckPanel(k, n, true, 0);
      CheckPanel(k, n, n % 2 == 0, 0x80);
    }
  }
}

TEST(QPack, SumsRows) {
  Values values(9);
  std::vector<int8_t> x(300);
  for (int8_t& v : x) v = static_cast<int8_t>(values.Next() >> 24);
  int32_t wanted = 0;
  for (size_t n = 0; n <= x.size(); ++n) {
    for (Isa isa : AllPaths()) ASSERT_EQ(FindQPack(isa)->sum(x.data(), n), wanted) << IsaName(isa) << " n " << n;
    if (n < x.size()) wanted += x[n];
  }
}

}  // namespace
}  // namespace tealight
