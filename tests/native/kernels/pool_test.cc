// SPDX-License-Identifier: Apache-2.0
// Pooling on every path against plain loops, with NaN, infinities and both zeros in the image.
#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

struct Case {
  int h, w, c, k, stride, dilation, pad;
  bool count_pad;
};
const Case kCases[] = {{8, 8, 16, 2, 2, 1, 0, false}, {11, 13, 67, 3, 2, 1, 1, true}, {10, 9, 35, 5, 1, 1, 2, false},
                       {9, 9, 130, 3, 1, 1, 1, true}, {3, 2, 5, 13, 1, 1, 6, false},  {9, 9, 7, 3, 1, 2, 2, false},
                       {7, 7, 70, 7, 7, 1, 0, false}, {5, 1, 17, 3, 1, 1, 1, true}};

// Max column by column, mean row by row.
void Plain(const PoolArgs& a, bool max) {
  for (ptrdiff_t o = 0; o < a.oh * a.ow * a.c; ++o) {
    const ptrdiff_t i = o / a.c / a.ow, j = o / a.c % a.ow, c = o % a.c;
    float acc = max ? -INFINITY : 0.0f, count = 0;
    for (ptrdiff_t t = 0; t < a.kh * a.kw; ++t) {
      const ptrdiff_t r = max ? t % a.kh : t / a.kw, q = max ? t / a.kh : t % a.kw;
      const ptrdiff_t y = i * a.sh - a.top + r * a.dh, x = j * a.sw - a.left + q * a.dw;
      count += y >= -a.count_top && y < a.h + a.count_bottom && x >= -a.count_left && x < a.w + a.count_right;
      if (y < 0 || y >= a.h || x < 0 || x >= a.w) continue;
      const float v = a.x[(y * a.w + x) * a.c + c];
      acc = max ? (v > acc || v != v ? v : acc) : acc + v;
    }
    a.y[o] = max ? acc : acc / count;
  }
}

TEST(Pool, EveryPathGivesTheBitsOfThePlainLoops) {
  for (const Case& t : kCases) {
    Values values(11);
    PoolArgs a;
    a.h = t.h;
    a.w = t.w;
    a.c = t.c;
    a.kh = a.kw = t.k;
    a.sh = a.sw = t.stride;
    a.dh = a.dw = t.dilation;
    a.top = a.left = t.pad;
    if (t.count_pad) a.count_top = a.count_left = a.count_bottom = a.count_right = t.pad;
    a.oh = (t.h + 2 * t.pad - t.dilation * (t.k - 1) - 1) / t.stride + 1;
    a.ow = (t.w + 2 * t.pad - t.dilation * (t.k - 1) - 1) / t.stride + 1;
    std::vector<float> x = values.Floats(static_cast<size_t>(a.h * a.w * a.c));
    const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f};
    for (size_t i = 0; i < x.size(); i += 3) x[i] = i % 5 < 2 ? x[i] : (i % 2 == 0 ? 0.0f : -0.0f);
    for (size_t i = 0; i < 5 && i < x.size(); ++i) x[x.size() / 2 + i / 2] = special[i];
    a.x = x.data();
    for (bool max : {true, false}) {
      std::vector<float> wanted(static_cast<size_t>(a.oh * a.ow * a.c));
      a.y = wanted.data();
      Plain(a, max);
      for (Isa isa : AllPaths()) {
        std::vector<float> found(wanted.size(), 123.0f);
        a.y = found.data();
        const PoolKernels& kernels = *FindPool(isa);
        for (ptrdiff_t i = 0; i < a.oh; i += 2) {
          (max ? kernels.max : kernels.average)(a, i, i + 2 < a.oh ? i + 2 : a.oh, 0, a.c);
        }
        EXPECT_EQ(FirstDifference(found, wanted), -1)
            << IsaName(isa) << (max ? " max " : " average ") << t.h << "x" << t.w << "x" << t.c << " k" << t.k;
      }
    }
  }
}

}  // namespace
}  // namespace tealight
