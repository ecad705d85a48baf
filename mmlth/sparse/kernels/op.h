// What the operators share: the kernels in use, and where results go.
#pragma once
#include <ATen/ops/empty.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <atomic>
#include <cstdint>

#include "conv.h"

extern std::atomic<const mmlth::Kernels*> mmlth_kernels;

// An empty tensor. A large one is fresh memory, and to fault it in by pages of 4 KB takes longer
// than to compute it (measured: 32 ms for 69 MB, 4 ms by huge pages): ask for huge ones.
inline at::Tensor empty_output(at::IntArrayRef size, const at::TensorOptions& options) {
    at::Tensor output = at::empty(size, options);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t PAGE = 2 << 20;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(output.data_ptr());
    const uintptr_t first = (begin + PAGE - 1) / PAGE * PAGE;
    const uintptr_t last = (begin + output.nbytes()) / PAGE * PAGE;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
    return output;
}
