// SSE2 on x86-64, NEON on ARM, whatever the compiler makes of four floats elsewhere.
#define MMLTH_ISA baseline
#define MMLTH_LANES 4
#if defined(__aarch64__)
#define MMLTH_ACCUMULATORS 28       // of 32 registers
#else
#define MMLTH_ACCUMULATORS 14       // of 16 registers
#endif
#include "kernel.h"
