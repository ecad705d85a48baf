#include "headers.h"
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define MMLTH_ISA avx2
#define MMLTH_LANES 8
#define MMLTH_ACCUMULATORS 14       // of 16 registers
#include "kernel.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
