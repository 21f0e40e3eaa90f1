# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags, the target architecture and which kernel paths it has.
# Sets TL_ARCH, TL_ISAS, TL_DEFINES, TL_LIBRARY_FLAGS, TL_TEST_FLAGS, TL_SHARED_LINK_FLAGS, TL_SHARED_LINKER_LANGUAGE.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# ANDROID_STL=none: of the NDK's C++ library only headers are used, so that an app may link any kind of it (a shared
# library with a static one inside cannot be given to C++ code, prefab's error CXX1211).
if(ANDROID AND ANDROID_STL STREQUAL "none")
  include_directories(SYSTEM "${CMAKE_SYSROOT}/usr/include/c++/v1")
endif()

# Objects are shared between checkouts: paths count from the repository root.
find_program(TL_CCACHE ccache)
if(TL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${ROOT} CCACHE_NOHASHDIR=1 ${TL_CCACHE})
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(TL_ARCH x86_64)
  set(TL_ISAS scalar x86_avx2 x86_avx512 x86_avx512vnni)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(TL_ARCH aarch64)
  set(TL_ISAS scalar arm_neon arm_neondot arm_neoni8mm)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  set(TL_ARCH armv7)
  set(TL_ISAS scalar arm_neon)
else()
  set(TL_ARCH other)
  set(TL_ISAS scalar)
endif()
set(TL_FLAGS_x86_avx2 -mavx2 -mfma -mf16c)
set(TL_FLAGS_x86_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND TL_FLAGS_x86_avx512 -Wno-maybe-uninitialized)  # of its own intrinsics in gcc 12 (GCC bug 105593)
endif()
set(TL_FLAGS_x86_avx512vnni ${TL_FLAGS_x86_avx512} -mavx512vnni -mavx512vbmi)
set(TL_FLAGS_arm_neondot -march=armv8.2-a+dotprod)
set(TL_FLAGS_arm_neoni8mm -march=armv8.2-a+dotprod+i8mm)
set(TL_FLAGS_arm_neon "")
# The scalar path defines the numbers; elsewhere it runs only where nothing else does.
set(TL_FLAGS_scalar -Os)

# TL_HAVE_X86_AVX2 and so on say which per-ISA tables exist.
set(TL_DEFINES "TL_VERSION=\"${PROJECT_VERSION}\"")
foreach(isa IN LISTS TL_ISAS)
  string(TOUPPER "${isa}" upper)
  list(APPEND TL_DEFINES "TL_HAVE_${upper}=1")
endforeach()
foreach(part WINOGRAD DEPTHWISE_5X5 DECODE)
  if(NOT TL_${part})
    list(APPEND TL_DEFINES "TL_NO_${part}=1")
  endif()
endforeach()

# -ffp-contract=off: a*b+c is never fused behind our back; kernels say Fma where they mean it.
set(common -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wshadow -Wconversion -Werror)
if(TL_ARCH STREQUAL "armv7")
  # Sizes are int64 and narrow to 32 bits everywhere; bundle/layout.cc keeps every tensor within them.
  list(APPEND common -mfpu=neon-vfpv4 -Wno-psabi -Wno-conversion)
endif()
set(TL_LIBRARY_FLAGS ${common} -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden
                     -fvisibility-inlines-hidden -ffunction-sections -fdata-sections -fno-math-errno)
set(TL_TEST_FLAGS -ffp-contract=off -fno-strict-aliasing -Wall -Wextra)

set(TL_SHARED_LINK_FLAGS "")
if(APPLE)
  list(APPEND TL_SHARED_LINK_FLAGS -Wl,-dead_strip "-Wl,-exported_symbol,_tl_*")
else()
  list(APPEND TL_SHARED_LINK_FLAGS -Wl,--gc-sections -Wl,-z,max-page-size=16384)
endif()
# Nothing throws, so the tables that unwind the stack only cost: a tenth of the library.
if(NOT TL_SANITIZE)
  list(APPEND TL_LIBRARY_FLAGS -fno-unwind-tables -fno-asynchronous-unwind-tables)
endif()
if(TL_SANITIZE)
  add_compile_options(-fsanitize=${TL_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=${TL_SANITIZE})
  # False ones in the compiler's and flatbuffers' own headers.
  add_compile_options(-Wno-uninitialized -Wno-maybe-uninitialized -Wno-stringop-overread)
  if(TL_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  set(TL_SHARED_LINKER_LANGUAGE CXX)
else()
  # Linked as C: any need of the C++ library is a link error.
  set(TL_SHARED_LINKER_LANGUAGE C)
  set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
  if(NOT APPLE)
    list(APPEND TL_SHARED_LINK_FLAGS -Wl,-z,defs)
  endif()
endif()
