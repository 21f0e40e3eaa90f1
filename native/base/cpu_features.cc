// SPDX-License-Identifier: Apache-2.0
// CPU detection: cpuid on x86, the architecture's baseline and what the system tells on ARM.
#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if (defined(__arm__) || defined(__aarch64__)) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace tealight {
namespace {

#if defined(__x86_64__)
// cpuid by hand: the compiler's __builtin_cpu_supports brings a static initialiser along. Bits are those of Intel's
// manual, volume 2, "CPUID": leaf 1 ecx, leaf 7 ebx and ecx; register states that the system saves: xcr0.
bool RunsX86(bool avx512, bool vnni) {
  uint32_t a = 0, b = 0, c1 = 0, d = 0, b7 = 0, c7 = 0;
  if (__get_cpuid(1, &a, &b, &c1, &d) == 0) return false;
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;
  constexpr uint32_t kNeeded = kFma | kOsxsave | kAvx | kF16c;
  if ((c1 & kNeeded) != kNeeded || __get_cpuid_count(7, 0, &a, &b7, &c7, &d) == 0) return false;
  uint32_t xcr0 = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  constexpr uint32_t kAvx2 = 1u << 5;
  constexpr uint32_t kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // f, dq, bw, vl
  constexpr uint32_t kVnni = 1u << 1 | 1u << 11;                           // vbmi, vnni
  if (vnni && (c7 & kVnni) != kVnni) return false;
  const uint32_t needed = avx512 ? kAvx2 | kAvx512 : kAvx2;
  const uint32_t states = avx512 ? 0xe6 : 0x6;  // opmask, zmm high halves, zmm16-31; ymm, xmm
  return (b7 & needed) == needed && (xcr0 & states) == states;
}
#endif

bool RunsArmDot(bool i8mm) {
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kDot = 1ul << 20, kI8mm = 1ul << 13;  // HWCAP_ASIMDDP, HWCAP2_I8MM
  return (getauxval(AT_HWCAP) & kDot) != 0 && (!i8mm || (getauxval(AT_HWCAP2) & kI8mm) != 0);
#elif defined(__aarch64__) && defined(__APPLE__)
  int has = 0;
  size_t size = sizeof(has);
  const char* name = i8mm ? "hw.optional.arm.FEAT_I8MM" : "hw.optional.arm.FEAT_DotProd";
  return sysctlbyname(name, &has, &size, nullptr, 0) == 0 && has != 0;
#else
  (void)i8mm;
  return false;
#endif
}

bool Runs(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kArmNeon:
#if defined(__aarch64__)
      return true;
#elif defined(__arm__) && defined(__linux__)
      return (getauxval(AT_HWCAP) & HWCAP_NEON) != 0 && (getauxval(AT_HWCAP) & HWCAP_VFPv4) != 0;
#else
      return false;
#endif
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return RunsArmDot(isa == Isa::kArmNeonI8mm);
    case Isa::kX86Avx2:
    case Isa::kX86Avx512:
    case Isa::kX86Avx512Vnni:
#if defined(__x86_64__)
      return RunsX86(isa != Isa::kX86Avx2, isa == Isa::kX86Avx512Vnni);
#else
      return false;
#endif
  }
  return false;
}

constexpr Isa kBestFirst[] = {
#ifdef TL_HAVE_X86_AVX512VNNI
    Isa::kX86Avx512Vnni,
#endif
#ifdef TL_HAVE_X86_AVX512
    Isa::kX86Avx512,
#endif
#ifdef TL_HAVE_X86_AVX2
    Isa::kX86Avx2,
#endif
#ifdef TL_HAVE_ARM_NEONI8MM
    Isa::kArmNeonI8mm,
#endif
#ifdef TL_HAVE_ARM_NEONDOT
    Isa::kArmNeonDot,
#endif
#ifdef TL_HAVE_ARM_NEON
    Isa::kArmNeon,
#endif
    Isa::kScalar};

}  // namespace

const char* IsaName(Isa isa) {
  switch (isa) {
    case Isa::kArmNeon:
      return "arm_neon";
    case Isa::kX86Avx2:
      return "x86_avx2";
    case Isa::kX86Avx512:
      return "x86_avx512";
    case Isa::kArmNeonDot:
      return "arm_neondot";
    case Isa::kArmNeonI8mm:
      return "arm_neoni8mm";
    case Isa::kX86Avx512Vnni:
      return "x86_avx512vnni";
    case Isa::kScalar:
      break;
  }
  return "scalar";
}

bool SupportedIsa(size_t i, Isa* isa) {
  for (const Isa candidate : kBestFirst) {
    if (!Runs(candidate)) continue;
    if (i-- == 0) {
      *isa = candidate;
      return true;
    }
  }
  return false;
}

bool IssuesInOrder() {
#if defined(__aarch64__) && defined(__linux__)
  if ((getauxval(AT_HWCAP) & HWCAP_CPUID) == 0) return false;
  uint64_t midr = 0;
  __asm__("mrs %0, midr_el1" : "=r"(midr));  // the kernel answers for user programs
  constexpr uint64_t kArm = 0x41;
  const uint64_t implementer = midr >> 24 & 0xff, part = midr >> 4 & 0xfff;
  if (implementer != kArm) return false;
  return part == 0xd04 || part == 0xd03 || part == 0xd05 || part == 0xd46 || part == 0xd80;
#else
  return false;
#endif
}

}  // namespace tealight
