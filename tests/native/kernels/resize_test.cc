// SPDX-License-Identifier: Apache-2.0
// Weighted rows and columns on every path against the plain chain.
#include "kernels/resize/resize.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

TEST(Resize, EveryPathGivesTheBitsOfThePlainChain) {
  for (size_t taps : {1, 2, 3, 4, 7}) {
    for (size_t n : {1, 3, 16, 37}) {
      Values values(5);
      const size_t outputs = 6;
      const std::vector<float> x = values.Floats(9 * n), weight = values.Floats(outputs * taps);
      std::vector<int32_t> index;
      for (size_t i = 0; i < outputs * taps; ++i) index.push_back(static_cast<int32_t>((i * 5) % 9));
      std::vector<float> columns(outputs * n), rows(n);
      const auto chain = [&](size_t j, size_t i) {
        float acc = 0;
        for (size_t t = 0; t < taps; ++t) {
          acc = fmaf(weight[j * taps + t], x[static_cast<size_t>(index[j * taps + t]) * n + i], acc);
        }
        return acc;
      };
      for (size_t j = 0; j < outputs; ++j) {
        for (size_t i = 0; i < n; ++i) columns[j * n + i] = chain(j, i);
      }
      std::vector<const float*> pointers;
      for (size_t t = 0; t < taps; ++t) pointers.push_back(&x[static_cast<size_t>(index[t]) * n]);
      for (size_t i = 0; i < n; ++i) rows[i] = chain(0, i);
      for (Isa isa : AllPaths()) {
        std::vector<float> found(columns.size(), 9.0f), row(n, 9.0f);
        FindResize(isa)->columns(x.data(), index.data(), weight.data(), taps, outputs, n, found.data());
        FindResize(isa)->rows(pointers.data(), weight.data(), taps, n, row.data());
        EXPECT_EQ(FirstDifference(found, columns), -1) << IsaName(isa) << " columns, taps " << taps << ", inner " << n;
        EXPECT_EQ(FirstDifference(row, rows), -1) << IsaName(isa) << " rows, taps " << taps << ", n " << n;
      }
    }
  }
}

}  // namespace
}  // namespace tealight
