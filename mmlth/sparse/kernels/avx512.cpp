#include "headers.h"
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif
#define MMLTH_ISA avx512
#define MMLTH_LANES 16
#define MMLTH_ACCUMULATORS 28       // of 32 registers
#include "kernel.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
