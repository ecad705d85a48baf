// The kernel, once per instruction set: the including file sets MMLTH_ISA (its name),
// MMLTH_LANES and MMLTH_ACCUMULATORS. All of it is local to that file, and no function of the
// standard library is made from a template here: the linker keeps one copy of each, and it
// could keep one with instructions that the processor lacks.
//
// A lane of the vectors is a tile of the output, tile_h x tile_w; a unit is MMLTH_LANES tiles.
// Whatever the shift, stride or dilation of a tap, its input is a whole aligned vector.
#include "headers.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)      // Clang, GCC 12
#define MMLTH_SHUFFLE
#endif
#endif

namespace mmlth {
namespace {

constexpr int LANES = MMLTH_LANES;
constexpr int ACCUMULATORS = MMLTH_ACCUMULATORS;
constexpr int MAX_H = 7, MAX_W = 8;

typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int Bits __attribute__((vector_size(4 * LANES)));
typedef float Four __attribute__((vector_size(16), aligned(4)));
typedef float Eight __attribute__((vector_size(32)));

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Memory that stays with its thread.
class Buffer {
public:
    ~Buffer() { std::free(memory_); }
    Vec* take(int64_t vectors) {
        if (vectors > size_) {
            std::free(memory_);
            size_ = 0;
            memory_ = std::aligned_alloc(64, (vectors * sizeof(Vec) + 63) / 64 * 64);
            if (!memory_) std::abort();
            size_ = vectors;
        }
        return static_cast<Vec*>(memory_);
    }
private:
    void* memory_ = nullptr;
    int64_t size_ = 0;
};

inline Four load(const float* from) { Four v; std::memcpy(&v, from, 16); return v; }
inline void store(float* to, Four v) { std::memcpy(to, &v, 16); }

// x - 0 is x, also where x is -0 or nan: no addition is made.
inline Vec broadcast(float x) { return x - Vec{}; }

// Floats [lane, lane + 4).
inline Four quarter(const Vec& v, int lane) {
    Four part;
    std::memcpy(&part, reinterpret_cast<const float*>(&v) + lane, 16);
    return part;
}

// Each lane gets what the next one has.
inline Vec next_lane(const Vec& v) {
    Bits from;
    for (int lane = 0; lane < LANES; ++lane) from[lane] = (lane + 1) % LANES;
    return __builtin_shuffle(v, from);
}

// Four floats from `at` on of each of the lanes k, k + 4, k + 8, ...
inline Vec quads(const float* const* rows, int64_t at, int k) {
#if defined(MMLTH_SHUFFLE) && MMLTH_LANES > 4
    const Eight a = __builtin_shufflevector(load(rows[k] + at), load(rows[k + 4] + at),
                                            0, 1, 2, 3, 4, 5, 6, 7);
#if MMLTH_LANES == 8
    return a;
#else
    const Eight b = __builtin_shufflevector(load(rows[k + 8] + at), load(rows[k + 12] + at),
                                            0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#else
    Vec v;
    for (int lane = 0; lane < LANES; lane += 4)
        std::memcpy(reinterpret_cast<float*>(&v) + lane, rows[lane + k] + at, 16);
    return v;
#endif
}

// In every quarter of four floats: the columns of four rows.
inline void transpose4(Vec& a, Vec& b, Vec& c, Vec& d) {
    Bits low, high, first, last;
    for (int lane = 0; lane < LANES; lane += 4)
        for (int i = 0; i < 4; ++i) {
            low[lane + i] = lane + i / 2 + i % 2 * LANES;
            high[lane + i] = low[lane + i] + 2;
            first[lane + i] = lane + i % 2 + i / 2 * LANES;
            last[lane + i] = first[lane + i] + 2;
        }
    const Vec ab0 = __builtin_shuffle(a, b, low), ab1 = __builtin_shuffle(a, b, high);
    const Vec cd0 = __builtin_shuffle(c, d, low), cd1 = __builtin_shuffle(c, d, high);
    a = __builtin_shuffle(ab0, cd0, first);
    b = __builtin_shuffle(ab0, cd0, last);
    c = __builtin_shuffle(ab1, cd1, first);
    d = __builtin_shuffle(ab1, cd1, last);
}

// to[i * stride][lane] = rows[lane][i] for i < count.
inline void gather(const float* const* rows, int64_t count, Vec* to, int64_t stride) {
    if (count < 4) {
        for (int64_t i = 0; i < count; ++i)
            for (int lane = 0; lane < LANES; ++lane)
                reinterpret_cast<float*>(to + i * stride)[lane] = rows[lane][i];
        return;
    }
    for (int64_t next = 0; next < count; next += 4) {
        const int64_t i = least(next, count - 4);
        Vec a = quads(rows, i, 0), b = quads(rows, i, 1), c = quads(rows, i, 2);
        Vec d = quads(rows, i, 3);
        transpose4(a, b, c, d);
        Vec* at = to + i * stride;
        at[0] = a;
        at[stride] = b;
        at[2 * stride] = c;
        at[3 * stride] = d;
    }
}

// rows[lane][i] = from[i * stride][lane] for i < count.
inline void scatter(const Vec* from, int64_t stride, int64_t count, float* const* rows) {
    if (count < 4) {
        for (int64_t i = 0; i < count; ++i)
            for (int lane = 0; lane < LANES; ++lane)
                rows[lane][i] = reinterpret_cast<const float*>(from + i * stride)[lane];
        return;
    }
    for (int64_t next = 0; next < count; next += 4) {
        const int64_t i = least(next, count - 4);
        const Vec* at = from + i * stride;
        Vec v[4] = {at[0], at[stride], at[2 * stride], at[3 * stride]};
        transpose4(v[0], v[1], v[2], v[3]);
        for (int k = 0; k < 4; ++k)
            for (int lane = 0; lane < LANES; lane += 4)
                store(rows[lane + k] + i, quarter(v[k], lane));
    }
}

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

// A row of each lane, and how far it is to that of the next channel.
template <class T>
struct Rows {
    T* at[LANES];
    int64_t step[LANES];
    void next() { for (int lane = 0; lane < LANES; ++lane) at[lane] += step[lane]; }
};

// What a thread needs beside the tensors.
struct Scratch {
    Buffer packed, sums, spare, rows;
    float* take_spare(int64_t floats) {
        return reinterpret_cast<float*>(spare.take(floats / LANES + 1));
    }
    template <class T>
    Rows<T>* take_rows(int64_t count) {
        return reinterpret_cast<Rows<T>*>(rows.take(count * sizeof(Rows<T>) / sizeof(Vec) + 1));
    }
};

// One unit of a layer: where its lanes read and write.
struct Unit {
    const Conv& c;
    const int64_t plane, out_plane, high, wide, size;   // of the packed input of a tile
    const bool points, regions;
    int64_t first;                      // of points and regions: the first one
    int64_t n[LANES], y[LANES], x[LANES];           // image and first output of each tile
    bool valid[LANES];

    explicit Unit(const Conv& conv) : c(conv),
        plane(c.height * c.width), out_plane(c.out_height * c.out_width),
        high((c.tile_h - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1),
        wide((c.tile_w - 1) * c.stride_w + (c.kernel_w - 1) * c.dilation_w + 1),
        size(high * wide),
        points(c.kernel_h == 1 && c.kernel_w == 1 && c.stride_h == 1 && c.stride_w == 1 &&
               c.pad_h == 0 && c.pad_w == 0 && c.tile_h == 1),
        regions(points && plane == 1) {}

    int64_t tiles_high() const { return (c.out_height + c.tile_h - 1) / c.tile_h; }
    int64_t tiles_wide() const { return (c.out_width + c.tile_w - 1) / c.tile_w; }
    int64_t count() const {
        const int64_t all = points ? c.batch * plane : c.batch * tiles_high() * tiles_wide();
        const int64_t each = points ? LANES * c.tile_w : LANES;
        return (all + each - 1) / each;
    }

    void set(int64_t unit) {
        first = unit * LANES * c.tile_w;
        if (points) return;
        const int64_t down = tiles_high(), across = tiles_wide();
        for (int lane = 0; lane < LANES; ++lane) {
            const int64_t tile = unit * LANES + lane;
            valid[lane] = tile < c.batch * down * across;
            n[lane] = tile / (down * across);
            y[lane] = tile / across % down * c.tile_h;
            x[lane] = tile % across * c.tile_w;
        }
    }

    void pack(int64_t channel, int64_t count, Vec* packed, Scratch& scratch) const {
        if (regions) pack_regions(channel, count, packed, scratch.take_spare(count));
        else if (points) pack_points(channel, count, packed);
        else pack_tiles(channel, count, packed, scratch);
    }

    void pack_regions(int64_t channel, int64_t count, Vec* packed, float* zeros) const {
        std::memset(zeros, 0, count * sizeof(float));
        for (int64_t j = 0; j < c.tile_w; ++j) {
            const float* rows[LANES];
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t region = first + j * LANES + lane;
                rows[lane] = region < c.batch ? c.input + region * c.channels + channel : zeros;
            }
            gather(rows, count, packed + j, c.tile_w);
        }
    }

    void pack_points(int64_t channel, int64_t count, Vec* packed) const {
        for (int64_t j = 0; j < c.tile_w; ++j) {
            const int64_t point = first + j * LANES;
            float* to = reinterpret_cast<float*>(packed + j);
            if (point < c.batch * plane && point % plane + LANES <= plane) {
                const float* from = c.input + (point / plane * c.channels + channel) * plane
                    + point % plane;
                for (int64_t i = 0; i < count; ++i) {
                    std::memcpy(to + i * c.tile_w * LANES, from + i * plane, sizeof(Vec));
                    __builtin_prefetch(from + i * plane + c.tile_w * LANES);    // for the next unit
                }
                continue;
            }
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t p = point + lane;
                const float* from = c.input + (p / plane * c.channels + channel) * plane + p % plane;
                for (int64_t i = 0; i < count; ++i)
                    to[i * c.tile_w * LANES + lane] = p < c.batch * plane ? from[i * plane] : 0.f;
            }
        }
    }

    void pack_tiles(int64_t channel, int64_t count, Vec* packed, Scratch& scratch) const {
        // The columns of the packed tile that lie in the image, for each lane.
        int64_t from[LANES], to[LANES];
        bool same = true;
        for (int lane = 0; lane < LANES; ++lane) {
            const int64_t left = x[lane] * c.stride_w - c.pad_w;
            from[lane] = least(wide, most(0, -left));
            to[lane] = most(from[lane], least(wide, c.width - left));
            same = same && from[lane] == from[0] && to[lane] == to[0];
        }
        const int64_t begin = same ? from[0] : 0, end = same ? to[0] : wide;
        float* spare = scratch.take_spare((LANES + 1) * wide);
        float* zeros = spare + LANES * wide;
        std::memset(spare, 0, (LANES + 1) * wide * sizeof(float));
        auto* rows = scratch.take_rows<const float>(high);
        for (int64_t h = 0; h < high; ++h)
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t row = y[lane] * c.stride_h - c.pad_h + h;
                const bool inside = valid[lane] && row >= 0 && row < c.height;
                rows[h].at[lane] = inside ? c.input
                    + ((n[lane] * c.channels + channel) * c.height + row) * c.width
                    + x[lane] * c.stride_w - c.pad_w + begin : zeros;
                rows[h].step[lane] = inside ? plane : 0;
            }
        // Where a tile's right neighbour is the next lane, what reaches over to it is there.
        const int64_t period = c.stride_w * c.tile_w;
        int last[LANES], lasts = 0;     // lanes without that neighbour
        for (int lane = 0; lane < LANES; ++lane)
            if (lane == LANES - 1 || !valid[lane] || n[lane + 1] != n[lane]
                || y[lane + 1] != y[lane]) last[lasts++] = lane;
        const bool reuse = begin == 0 && end == wide && period < wide && lasts <= 3;
        for (int64_t i = 0; i < count; ++i) {
            // What a lane reads left or right of its row is another row and is masked away; but
            // near the first and the last row of the tensor there may be nothing to read.
            const int64_t nearest = least(channel + i, c.channels - 1 - channel - i);
            const bool ends = !same && nearest * plane < c.pad_w + wide;
            for (int64_t h = 0; h < high; ++h, packed += wide) {
                for (int64_t w = 0; w < begin; ++w) packed[w] = Vec{};
                for (int64_t w = end; w < wide; ++w) packed[w] = Vec{};
                const float* copies[LANES];
                for (int lane = 0; ends && lane < LANES; ++lane) {
                    copies[lane] = rows[h].step[lane] ? spare + lane * wide : zeros;
                    if (rows[h].step[lane])
                        std::memcpy(spare + lane * wide + from[lane], rows[h].at[lane] + from[lane],
                                    (to[lane] - from[lane]) * sizeof(float));
                }
                gather(ends ? copies : rows[h].at, reuse && !ends ? period : end - begin,
                       packed + begin, 1);
                for (int64_t w = period; reuse && !ends && w < wide; ++w) {
                    packed[w] = next_lane(packed[w - period]);
                    for (int k = 0; k < lasts; ++k)
                        reinterpret_cast<float*>(packed + w)[last[k]] = rows[h].at[last[k]][w];
                }
                rows[h].next();
            }
        }
        if (!same) mask(packed - count * size, count * high, from, to);
    }

    // Zero what lies outside [from, to) of its lane in rows of packed vectors.
    void mask(Vec* packed, int64_t rows, const int64_t* from, const int64_t* to) const {
        for (int64_t w = 0; w < wide; ++w) {
            Bits inside{};
            bool all = true;
            for (int lane = 0; lane < LANES; ++lane) {
                inside[lane] = from[lane] <= w && w < to[lane] ? -1 : 0;
                all = all && inside[lane];
            }
            for (int64_t h = 0; !all && h < rows; ++h)
                packed[h * wide + w] = (Vec)((Bits)packed[h * wide + w] & inside);
        }
    }

    // Write output channels [channel, channel + count); `sums` are theirs.
    void unpack(int64_t channel, int64_t count, const Vec* sums, Scratch& scratch) const {
        if (regions) unpack_regions(channel, count, sums, scratch.take_spare(count));
        else if (points) unpack_points(channel, count, sums);
        else unpack_tiles(channel, count, sums, scratch);
    }

    void unpack_regions(int64_t channel, int64_t count, const Vec* sums, float* sink) const {
        for (int64_t j = 0; j < c.tile_w; ++j) {
            float* rows[LANES];
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t region = first + j * LANES + lane;
                rows[lane] = region < c.batch ? c.output + region * c.out_channels + channel : sink;
            }
            scatter(sums + j, c.tile_w, count, rows);
        }
    }

    void unpack_points(int64_t channel, int64_t count, const Vec* sums) const {
        for (int64_t j = 0; j < c.tile_w; ++j) {
            const int64_t point = first + j * LANES;
            const float* from = reinterpret_cast<const float*>(sums + j);
            const bool whole = point < c.batch * plane && point % plane + LANES <= plane;
            for (int lane = 0; lane < LANES; lane += whole ? LANES : 1) {
                const int64_t p = point + lane;
                if (p >= c.batch * plane) break;
                float* to = c.output + (p / plane * c.out_channels + channel) * plane + p % plane;
                for (int64_t i = 0; i < count; ++i) {
                    if (whole) std::memcpy(to + i * plane, from + i * c.tile_w * LANES, sizeof(Vec));
                    else to[i * plane] = from[i * c.tile_w * LANES + lane];
                }
            }
        }
    }

    void unpack_tiles(int64_t channel, int64_t count, const Vec* sums, Scratch& scratch) const {
        float* spare = scratch.take_spare(c.tile_h * LANES * c.tile_w);
        auto* rows = scratch.take_rows<float>(2 * c.tile_h);
        auto* clipped = rows + c.tile_h;    // where a spare row goes
        for (int64_t h = 0; h < c.tile_h; ++h)
            for (int lane = 0; lane < LANES; ++lane) {
                const bool inside = valid[lane] && y[lane] + h < c.out_height;
                const bool whole = x[lane] + c.tile_w <= c.out_width;
                float* to = c.output
                    + ((n[lane] * c.out_channels + channel) * c.out_height + y[lane] + h)
                    * c.out_width + x[lane];
                rows[h].at[lane] = inside && whole ? to : spare + (h * LANES + lane) * c.tile_w;
                rows[h].step[lane] = inside && whole ? out_plane : 0;
                clipped[h].at[lane] = to;
                clipped[h].step[lane] = inside && !whole ? out_plane : 0;
            }
        int lanes[LANES], some = 0;
        for (int lane = 0; lane < LANES; ++lane)
            if (valid[lane] && x[lane] + c.tile_w > c.out_width) lanes[some++] = lane;
        for (int64_t i = 0; i < count; ++i)
            for (int64_t h = 0; h < c.tile_h; ++h, sums += c.tile_w) {
                scatter(sums, 1, c.tile_w, rows[h].at);
                rows[h].next();
                for (int k = 0; k < some; ++k) {
                    const int lane = lanes[k];
                    if (!clipped[h].step[lane]) continue;
                    for (int64_t w = 0; w < c.out_width - x[lane]; ++w)
                        clipped[h].at[lane][w] = rows[h].at[lane][w];
                    clipped[h].at[lane] += out_plane;
                }
            }
    }
};

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
const Kernels MMLTH_ISA{MMLTH_STRING(MMLTH_ISA), LANES, ACCUMULATORS, units, run};

}  // namespace mmlth
