// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI int8 gemm: vpdpbusd multiplies unsigned by signed bytes, so lhs is read as x + 128. Tiles of 6 rows x 64
// columns or 12 x 32: 24 sums.
#define TL_ISA x86_avx512vnni
#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {
constexpr int32_t kLhsOffset = 128;
}
}  // namespace TL_ISA
}  // namespace tealight
#include "kernels/qgemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE __m512i SplatLhs(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return _mm512_xor_si512(_mm512_set1_epi32(four), _mm512_set1_epi8(-128));
}

template <int MR, int NV>
struct DotLoop {
  TL_LOOP void Finish(I32 (&)[MR][NV]) {}
  TL_LOOP void Run(I32 (&acc)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    for (size_t k = 0; k < run; k += 4) {
      __m512i w[NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) w[j] = _mm512_loadu_si512(rhs.Vector(j));
      rhs.Advance(1);
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const __m512i x = SplatLhs(p[i] + k);
        TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j].v = _mm512_dpbusd_epi32(acc[i][j].v, x, w[j]);
      }
    }
  }
};

void SweepRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  size_t vector = 0;
  vector = Sweep<4, DotLoop, 6, 5, 4, 2, 1>(rows, m, args, vector);
  vector = Sweep<2, DotLoop, 12, 10, 8, 4, 1>(rows, m, args, vector);
  Sweep<1, DotLoop, 12, 8, 4, 1>(rows, m, args, vector);
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) { SweepRows(rows, m, plain); });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_x86_avx512vnni() {
  static constexpr QGemmKernels kKernels = {12, x86_avx512vnni::TileRows};
  return &kKernels;
}

}  // namespace tealight
