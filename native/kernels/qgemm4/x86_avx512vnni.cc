// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI gemm with int4 weights: each half of a byte moves to its top; sums are 16 times too large and shifted
// back at the end, exactly. lhs is read as x + 128.
#define TL_ISA x86_avx512vnni
#define TL_LHS_OFFSET 128
#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE __m512i SplatLhs(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return _mm512_xor_si512(_mm512_set1_epi32(four), _mm512_set1_epi8(-128));
}

template <int MR, int NV>
struct NibbleLoop {
  __m512i sums[MR][NV];

  TL_LOOP NibbleLoop() {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) sums[i][j] = _mm512_setzero_si512();
    }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    const __m512i top = _mm512_set1_epi8(-16);
    for (size_t k = 0; k < run; k += 8) {
      __m512i low[NV], high[NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const __m512i both = _mm512_loadu_si512(rhs.Vector(j));
        low[j] = _mm512_and_si512(_mm512_slli_epi16(both, 4), top);
        high[j] = _mm512_and_si512(both, top);
      }
      rhs.Advance(1);
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const __m512i x = SplatLhs(p[i] + k), next = SplatLhs(p[i] + k + 4);
        TL_UNROLL for (int j = 0; j < NV; ++j) sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], x, low[j]);
        TL_UNROLL for (int j = 0; j < NV; ++j) sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], next, high[j]);
      }
    }
  }

  TL_LOOP void Finish(I32 (&acc)[MR][NV]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        acc[i][j].v = _mm512_add_epi32(acc[i][j].v, _mm512_srai_epi32(sums[i][j], 4));
      }
    }
  }
};

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<4, NibbleLoop, 4, 3, 2, 1>(rows, m, args, 0);
  Sweep<1, NibbleLoop, 4, 3, 2, 1>(rows, m, args, vector);
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemm4Kernels_x86_avx512vnni() {
  static constexpr QGemmKernels kKernels = {4, x86_avx512vnni::TileRows};
  return &kKernels;
}

}  // namespace tealight
