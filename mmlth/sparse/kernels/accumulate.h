// Where the time goes: the multiply-adds, in one function per size of tile.
#include "vectors.h"

namespace mmlth {
namespace {

constexpr int ACCUMULATORS = MMLTH_ACCUMULATORS;
constexpr int MAX_H = 7, MAX_W = 8;

// The inner loop: H * W sums in registers, one multiply-add per surviving weight and sum.
// `pitch` is the distance, in packed vectors, of outputs that are neighbours in a column; S of
// those in a row. `bias` starts the sums; null: they go on from `sums`.
template <int H, int W, int S>
void accumulate(const float* values, const int16_t* offsets, const int32_t* starts, int64_t count,
                const Vec* packed, int64_t pitch, const float* bias, Vec* sums) {
    const char* rows[H];
    for (int h = 0; h < H; ++h) {
        rows[h] = reinterpret_cast<const char*>(packed + h * pitch);
        __asm__("" : "+r"(rows[h]));    // else the compiler adds it all up for every load
    }
    for (int64_t o = 0; o < count; ++o, sums += H * W) {
        Vec sum[H][W];
        for (int h = 0; h < H; ++h)
            for (int w = 0; w < W; ++w) sum[h][w] = bias ? broadcast(bias[o]) : sums[h * W + w];
        for (int64_t k = starts[o], end = starts[o + 1]; k < end; ++k) {
            const Vec value = broadcast(values[k]);
            const int64_t offset = offsets[k] * static_cast<int64_t>(sizeof(Vec));
            for (int h = 0; h < H; ++h) {
                const Vec* at = reinterpret_cast<const Vec*>(rows[h] + offset);
                for (int w = 0; w < W; ++w) sum[h][w] += value * at[w * S];
            }
        }
        for (int h = 0; h < H; ++h)
            for (int w = 0; w < W; ++w) sums[h * W + w] = sum[h][w];
    }
}

using Accumulate = void (*)(const float*, const int16_t*, const int32_t*, int64_t, const Vec*,
                            int64_t, const float*, Vec*);

template <int S, int I>
constexpr Accumulate instance() {
    constexpr int H = I / MAX_W + 1, W = I % MAX_W + 1;
    if constexpr (H * W <= ACCUMULATORS && (S == 1 || W > 1)) return accumulate<H, W, S>;
    return nullptr;
}
struct Table { Accumulate of[MAX_H * MAX_W]; };
template <int S, int... I>
constexpr Table instances(std::integer_sequence<int, I...>) {
    return {{instance<S, I>()...}};
}
using Tiles = std::make_integer_sequence<int, MAX_H * MAX_W>;
constexpr auto STRIDE_1 = instances<1>(Tiles{});
constexpr auto STRIDE_2 = instances<2>(Tiles{});

}  // namespace
}  // namespace mmlth
