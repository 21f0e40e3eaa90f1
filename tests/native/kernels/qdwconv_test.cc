// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution on every path against the sum written plainly and rounded in float64: the same integers
// for every window, border, channel tail and cut into calls, with guards around the operands.
#include "kernels/qdwconv/qdwconv.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

struct Case {
  int h, w, c, kh, kw, s, dilation, pad;
  int x_zero_point, weight_zero_point;
  bool extreme, large_bias, wide, finish;
};
const Case kCases[] = {
    {8, 8, 16, 3, 3, 1, 1, 1, -128, 0, false, false, false, false},
    {11, 13, 19, 3, 3, 1, 1, 1, 3, 0, false, false, false, true},
    {14, 14, 144, 3, 3, 1, 1, 1, -7, 0, false, true, false, false},
    {7, 7, 200, 3, 3, 1, 1, 1, 127, 0, true, false, false, false},
    {9, 5, 64, 3, 3, 1, 1, 1, 9, 0, true, true, false, true},
    {10, 3, 96, 3, 3, 1, 1, 0, 9, 0, false, false, false, false},
    {7, 7, 67, 3, 3, 2, 1, 1, -128, 0, false, false, false, false},
    {23, 21, 48, 3, 3, 2, 1, 1, 5, 0, true, false, false, false},
    {10, 14, 33, 3, 3, 2, 1, 0, 0, 0, false, false, false, true},
    {9, 9, 24, 5, 5, 1, 1, 2, 11, 0, false, false, false, true},
    {9, 17, 72, 5, 5, 1, 1, 2, -30, 0, true, false, false, false},
    {12, 11, 31, 5, 5, 2, 1, 2, 20, 0, false, true, false, false},
    {2, 2, 17, 5, 5, 1, 1, 2, 1, 0, false, false, false, false},
    {1, 1, 3, 3, 3, 1, 1, 1, 2, 0, false, false, false, false},
    {1, 1, 16, 5, 5, 2, 1, 2, -3, 0, false, false, false, false},
    {9, 8, 20, 3, 3, 1, 2, 2, 4, 0, false, false, false, true},
    {15, 15, 8, 7, 7, 1, 1, 3, -128, 0, true, false, false, false},
    {13, 11, 88, 7, 7, 1, 1, 3, 7, 0, true, false, false, false},
    {13, 12, 72, 7, 7, 2, 1, 3, -9, 0, false, true, false, true},
    {12, 12, 40, 9, 8, 1, 1, 4, 40, 0, false, false, false, false},
    {6, 6, 16, 3, 3, 1, 1, 5, 6, 0, false, false, false, false},
    {13, 7, 21, 4, 2, 3, 1, 1, -1, 0, false, false, false, true},
    {8, 9, 80, 3, 3, 1, 1, 1, 10, 0, true, false, true, false},
    {8, 9, 35, 3, 3, 1, 1, 1, -20, -17, true, false, false, false},
    {7, 7, 16, 5, 5, 2, 1, 2, 90, 127, false, false, false, true},
};

struct Operands {
  QDwconvArgs args;
  std::vector<int8_t> x, weight, residual, table, outside;
  std::vector<int32_t> bias, packed;  // packed: of 4-byte alignment
  std::vector<float> scale;
};

void Pack(const Case& t, const std::vector<int8_t>& weight, std::vector<int32_t>* packed) {
  const ptrdiff_t bytes = QDwconvPanelBytes(t.kh, t.kw);
  packed->assign(static_cast<size_t>((t.c + 15) / 16 * bytes / 4), 0);
  int8_t* base = reinterpret_cast<int8_t*>(packed->data());
  for (int c = 0; c < t.c; ++c) {
    int8_t* panel = base + c / 16 * bytes;
    for (int k = 0; k < t.kh * t.kw; ++k) {
      const int a = k / t.kw, b = k % t.kw;
      const int8_t w = weight[static_cast<size_t>(c * t.kh * t.kw + k)];
      panel[64 + ((b * ((t.kh + 3) / 4) + a / 4) * 16 + c % 16) * 4 + a % 4] = w;
      reinterpret_cast<int32_t*>(panel)[c % 16] += w;
    }
  }
}

void Fill(const Case& t, Operands* o) {
  Values values(11);
  const auto byte = [&](int low) {
    const int v = static_cast<int>(values.Next() >> 16);
    return static_cast<int8_t>(t.extreme ? ((v & 1) != 0 ? 127 : low) : v % (128 - low) + low);
  };
  QDwconvArgs& a = o->args;
  a.h = t.h;
  a.w = t.w;
  a.c = t.c;
  a.kh = t.kh;
  a.kw = t.kw;
  a.sh = a.sw = t.s;
  a.dh = a.dw = t.dilation;
  a.top = a.left = t.pad;
  a.oh = (t.h + 2 * t.pad - t.dilation * (t.kh - 1) - 1) / t.s + 1;
  a.ow = (t.w + 2 * t.pad - t.dilation * (t.kw - 1) - 1) / t.s + 1;
  a.x_zero_point = t.x_zero_point;
  a.weight_zero_point = t.weight_zero_point;
  o->x.resize(static_cast<size_t>(a.h * a.w * a.c));
  for (int8_t& v : o->x) v = byte(-128);
  o->weight.resize(static_cast<size_t>(t.c * t.kh * t.kw));
  for (int8_t& v : o->weight) v = byte(-127);
  if (t.dilation == 2) o->weight[5] = -128;  // what no builder makes
  Pack(t, o->weight, &o->packed);
  const size_t lanes = static_cast<size_t>((t.c + 31) / 32 * 32), outputs = static_cast<size_t>(a.oh * a.ow * a.c);
  o->bias.resize(lanes);
  o->scale.resize(lanes);
  for (size_t i = 0; i < lanes; ++i) {
    o->bias[i] = static_cast<int32_t>(values.Next() >> 20) - 2048;
    if (t.large_bias) o->bias[i] *= 3000;  // past 2^22
    if (t.wide) o->bias[i] *= 100003;      // past 2^23
    const float size = t.wide ? 1e-6f : t.large_bias ? 2e-5f : 2e-3f;
    o->scale[i] = size * (1.0f + static_cast<float>(values.Next() >> 16 | 1u) * 0x1p-16f);
  }
  o->residual.resize(outputs);
  for (int8_t& v : o->residual) v = byte(-128);
  o->table.resize(256);
  for (int8_t& v : o->table) v = byte(-128);
  o->outside.assign(QDwconvOutsideBytes(a.w, a.c), static_cast<int8_t>(t.x_zero_point));
  a.x = o->x.data();
  a.weight = reinterpret_cast<const int8_t*>(o->packed.data());
  a.bias = o->bias.data();
  a.scale = o->scale.data();
  a.outside = o->outside.data();
  a.requantization = {-5, -120, 119, t.wide};
  if (t.finish) {
    a.table = o->table.data();
    a.residual = o->residual.data();
    a.add = {0.7f, 1.3f, 2.25f, -128, 100};
  }
}

int8_t Rounded(double y, int lo, int hi) { return static_cast<int8_t>(y < lo ? lo : y > hi ? hi : nearbyint(y)); }

int8_t Element(const Operands& o, ptrdiff_t i, ptrdiff_t j, ptrdiff_t c) {
  const QDwconvArgs& a = o.args;
  int64_t sum = o.bias[static_cast<size_t>(c)];
  for (int k = 0; k < a.kh * a.kw; ++k) {
    const ptrdiff_t y = i * a.sh - a.top + k / a.kw * a.dh, x = j * a.sw - a.left + k % a.kw * a.dw;
    const bool inside = y >= 0 && y < a.h && x >= 0 && x < a.w;
    const int value = inside ? o.x[static_cast<size_t>((y * a.w + x) * a.c + c)] : a.x_zero_point;
    sum += value * o.weight[static_cast<size_t>(c * a.kh * a.kw + k)] - a.weight_zero_point * (value - a.x_zero_point);
  }
  const Requantization& q = a.requantization;
  const double scale = static_cast<double>(o.scale[static_cast<size_t>(c)]);
  int8_t y = Rounded(
      q.wide
          ? static_cast<double>(static_cast<float>(static_cast<double>(static_cast<float>(sum)) * scale + q.zero_point))
          : static_cast<double>(sum) * scale + q.zero_point,
      q.lo, q.hi);
  if (a.table != nullptr) y = a.table[y + 128];
  if (a.residual == nullptr) return y;
  const float inner = fmaf(static_cast<float>(y), a.add.a_scale, a.add.offset);
  const int8_t r = a.residual[(i * a.ow + j) * a.c + c];
  return Rounded(static_cast<double>(fmaf(static_cast<float>(r), a.add.b_scale, inner)), a.add.lo, a.add.hi);
}

struct Path {
  const char* name;
  const QDwconvKernels* kernels;
};

std::vector<Path> Paths() {
  std::vector<Path> paths;
  for (Isa isa : AllPaths()) {
    paths.push_back({IsaName(isa), FindQDwconv(isa)});
#if defined(__aarch64__)
    if (isa == Isa::kArmNeonDot) paths.push_back({"arm_neondot in order", QDwconvKernels_arm_neondot_inorder()});
#endif
  }
  return paths;
}

TEST(QDwconv, EveryPathGivesTheIntegersOfThePlainSum) {
  constexpr int8_t kGuard = 85;
  for (const Case& t : kCases) {
    Operands o;
    Fill(t, &o);
    QDwconvArgs& a = o.args;
    const size_t outputs = static_cast<size_t>(a.oh * a.ow * a.c);
    std::vector<int8_t> wanted(outputs + 64, kGuard);
    for (ptrdiff_t e = 0; e < static_cast<ptrdiff_t>(outputs); ++e) {
      wanted[static_cast<size_t>(e) + 32] = Element(o, e / a.c / a.ow, e / a.c % a.ow, e % a.c);
    }
    for (const Path& path : Paths()) {
      for (ptrdiff_t step : {ptrdiff_t{2}, ptrdiff_t{5}, a.oh}) {
        std::vector<int8_t> found(outputs + 64, kGuard);
        a.y = found.data() + 32;
        for (ptrdiff_t i = 0; i < a.oh; i += step) {
          const ptrdiff_t end = i + step < a.oh ? i + step : a.oh;
          const ptrdiff_t cut = a.c > 16 && step == 5 ? 16 : a.c;
          if (cut < a.c) path.kernels->run(a, i, end, cut, a.c);
          path.kernels->run(a, i, end, 0, cut);
        }
        EXPECT_EQ(found, wanted) << path.name << " " << t.h << "x" << t.w << "x" << t.c << " k" << t.kh << " s" << t.s
                                 << " rows " << step;
      }
    }
  }
}

}  // namespace
}  // namespace tealight
