// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on every path against the chain written plainly: the same bits for every window, border,
// channel tail and cut into calls.
#include "kernels/dwconv/dwconv.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

struct Case {
  int h, w, c, kh, kw, sh, sw, dilation;
  int top, left, bottom, right;
  bool residual, clamp;
};
const Case kCases[] = {
    {8, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, false, true},   {11, 13, 19, 3, 3, 1, 1, 1, 1, 1, 1, 1, true, true},
    {7, 7, 67, 3, 3, 2, 2, 1, 1, 1, 1, 1, false, false},  {10, 14, 33, 3, 3, 2, 2, 1, 0, 0, 1, 1, false, true},
    {6, 5, 5, 3, 3, 1, 1, 1, 0, 0, 0, 0, false, false},   {9, 9, 24, 5, 5, 1, 1, 1, 2, 2, 2, 2, true, true},
    {12, 11, 31, 5, 5, 2, 2, 1, 2, 2, 2, 2, false, true}, {2, 2, 17, 5, 5, 1, 1, 1, 2, 2, 2, 2, false, false},
    {1, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, false, true},    {1, 1, 16, 5, 5, 2, 2, 1, 2, 2, 2, 2, false, true},
    {9, 8, 20, 3, 3, 1, 1, 2, 2, 2, 2, 2, false, true},   {15, 15, 8, 7, 7, 1, 1, 1, 3, 3, 3, 3, false, true},
    {1, 37, 12, 1, 9, 1, 2, 1, 0, 4, 0, 4, false, true},  {13, 7, 21, 4, 2, 3, 1, 1, 1, 0, 2, 1, true, true},
    {6, 6, 16, 3, 3, 1, 1, 1, 4, 5, 4, 5, false, true},   {14, 14, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, true, true},
    {23, 21, 48, 3, 3, 2, 2, 1, 1, 1, 1, 1, false, true}, {9, 17, 40, 5, 5, 1, 1, 1, 2, 2, 2, 2, true, false},
};

void Plain(const DwconvArgs& a) {
  const int taps = a.kh * a.kw;
  for (ptrdiff_t i = 0; i < a.oh; ++i) {
    for (ptrdiff_t j = 0; j < a.ow; ++j) {
      for (ptrdiff_t c = 0; c < a.c; ++c) {
        float acc = a.bias != nullptr ? a.bias[c] : 0.0f;
        for (int t = 0; t < taps; ++t) {
          const ptrdiff_t y = i * a.sh - a.top + t / a.kw * a.dh, x = j * a.sw - a.left + t % a.kw * a.dw;
          if (y < 0 || y >= a.h || x < 0 || x >= a.w) continue;
          acc = fmaf(a.x[(y * a.w + x) * a.c + c], a.weight[(c / 16 * taps + t) * 16 + c % 16], acc);
        }
        const ptrdiff_t at = (i * a.ow + j) * a.c + c;
        if (a.residual != nullptr) acc += a.residual[at];
        acc = a.lo > acc ? a.lo : acc;
        a.y[at] = a.hi < acc ? a.hi : acc;
      }
    }
  }
}

struct Path {
  const char* name;
  const DwconvKernels* kernels;
};

std::vector<Path> Paths() {
  std::vector<Path> paths;
  for (Isa isa : AllPaths()) paths.push_back({IsaName(isa), FindDwconv(isa)});
#if defined(__aarch64__)
  paths.push_back({"arm_neon out of order", DwconvKernels_arm_neon()});
  paths.push_back({"arm_neon in order", DwconvKernels_arm_neon_inorder()});
#endif
  return paths;
}

TEST(Dwconv, EveryPathGivesTheBitsOfThePlainChain) {
  for (const Case& t : kCases) {
    Values values(7);
    DwconvArgs a;
    a.h = t.h;
    a.w = t.w;
    a.c = t.c;
    a.kh = t.kh;
    a.kw = t.kw;
    a.sh = t.sh;
    a.sw = t.sw;
    a.dh = a.dw = t.dilation;
    a.top = t.top;
    a.left = t.left;
    a.oh = (t.h + t.top + t.bottom - t.dilation * (t.kh - 1) - 1) / t.sh + 1;
    a.ow = (t.w + t.left + t.right - t.dilation * (t.kw - 1) - 1) / t.sw + 1;
    std::vector<float> x = values.Floats(static_cast<size_t>(a.h * a.w * a.c));
    x[1] = NAN;
    x[2] = INFINITY;
    const std::vector<float> weight = values.Floats(static_cast<size_t>((a.c + 15) / 16 * t.kh * t.kw * 16));
    const std::vector<float> bias = values.Floats(static_cast<size_t>(a.c));
    const size_t outputs = static_cast<size_t>(a.oh * a.ow * a.c);
    const std::vector<float> residual = values.Floats(outputs);
    a.x = x.data();
    a.weight = weight.data();
    a.bias = t.clamp ? bias.data() : nullptr;
    a.residual = t.residual ? residual.data() : nullptr;
    a.lo = t.clamp ? 0.0f : -INFINITY;
    a.hi = t.clamp ? 6.0f : INFINITY;
    std::vector<float> wanted(outputs);
    a.y = wanted.data();
    Plain(a);
    for (const Path& path : Paths()) {
      for (ptrdiff_t step : {ptrdiff_t{2}, ptrdiff_t{5}, a.oh}) {
        std::vector<float> found(outputs, 123.0f);
        a.y = found.data();
        for (ptrdiff_t i = 0; i < a.oh; i += step) {
          const ptrdiff_t end = i + step < a.oh ? i + step : a.oh;
          const ptrdiff_t cut = a.c > 16 && step == 5 ? 16 : a.c;
          path.kernels->run(a, i, end, 0, cut);
          if (cut < a.c) path.kernels->run(a, i, end, cut, a.c);
        }
        EXPECT_EQ(FirstDifference(found, wanted), -1)
            << path.name << " " << t.h << "x" << t.w << "x" << t.c << " k" << t.kh << " s" << t.sh << " rows " << step;
      }
    }
  }
}

}  // namespace
}  // namespace tealight
