// The kernel, once per instruction set: the including file sets MMLTH_ISA (its name),
// MMLTH_LANES and MMLTH_ACCUMULATORS. All of it is local to that file, and no function of the
// standard library is made from a template here: the linker keeps one copy of each, and it
// could keep one with instructions that the processor lacks.
//
// A lane of the vectors is a tile of the output, tile_h x tile_w; a unit is MMLTH_LANES tiles.
// Whatever the shift, stride or dilation of a tap, its input is a whole aligned vector.
#include "accumulate.h"
#include "unit.h"
#include "align.h"
#include "pool.h"

namespace mmlth {
namespace {

int64_t units(const Conv& c) { return Unit(c).count(); }

void run(const Conv& c, int64_t index, int64_t first, int64_t last) {
    thread_local Scratch scratch;
    Unit unit(c);
    unit.set(index);
    const int64_t tile = c.tile_h * c.tile_w;
    const int64_t channels = c.channels / c.groups, outs = c.out_channels / c.groups;
    const int64_t blocks = (channels + c.block - 1) / c.block;
    Vec* packed = scratch.packed.take(c.block * unit.size);
    Vec* sums = scratch.sums.take((last - first) * tile);
    const auto& table = c.stride_w == 2 && c.tile_w > 1 ? STRIDE_2 : STRIDE_1;
    const Accumulate accumulate = table.of[(c.tile_h - 1) * MAX_W + c.tile_w - 1];
    const int64_t pitch = c.stride_h * unit.wide;
    Vec* at = sums;
    for (int64_t group = first / outs; group * outs < last; ++group) {
        const int64_t begin = most(first, group * outs), end = least(last, (group + 1) * outs);
        for (int64_t block = 0; block < blocks; ++block) {
            const int64_t channel = block * c.block;
            unit.pack(group * channels + channel, least(c.block, channels - channel), packed,
                      scratch);
            const int32_t* starts = c.starts + (group * blocks + block) * outs + begin - group * outs;
            if (block == 0 && !c.bias) std::memset(at, 0, (end - begin) * tile * sizeof(Vec));
            accumulate(c.values, c.offsets, starts, end - begin, packed, pitch,
                       block == 0 && c.bias ? c.bias + begin : nullptr, at);
        }
        at += (end - begin) * tile;
    }
    unit.unpack(first, last - first, sums, scratch);
}

}  // namespace

#define MMLTH_TEXT(x) #x
#define MMLTH_STRING(x) MMLTH_TEXT(x)
const Kernels MMLTH_ISA{MMLTH_STRING(MMLTH_ISA), LANES, ACCUMULATORS, units, run, align, pool};

}  // namespace mmlth
