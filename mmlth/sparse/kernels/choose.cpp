// Which kernels this processor runs.
#include <cstring>

#include "conv.h"

namespace mmlth {

const Kernels* kernels(const char* name) {
    const auto wanted = [&](const Kernels& k) { return !name || !std::strcmp(name, k.name); };
#if defined(__x86_64__)
    __builtin_cpu_init();       // this may run before the constructors of libraries
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && wanted(avx512))
        return &avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && wanted(avx2))
        return &avx2;
#endif
    return wanted(baseline) ? &baseline : nullptr;
}

}  // namespace mmlth
