// Vectors of one float per lane, and how rows of memory come into their lanes and back.
#include "headers.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)      // Clang, GCC 12
#define MMLTH_SHUFFLE
#endif
#endif

namespace mmlth {
namespace {

constexpr int LANES = MMLTH_LANES;

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
            memory_ = ::aligned_alloc(64, (vectors * sizeof(Vec) + 63) / 64 * 64);
            if (!memory_) std::abort();
            size_ = vectors;
        }
        return static_cast<Vec*>(memory_);
    }
private:
    void* memory_ = nullptr;
    int64_t size_ = 0;
};

inline Vec load_vector(const float* from) { Vec v; std::memcpy(&v, from, sizeof(Vec)); return v; }
inline void store_vector(float* to, const Vec& v) { std::memcpy(to, &v, sizeof(Vec)); }
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

// Which lane of a, then of b, a shuffle takes for lane i.
struct Next { static constexpr int of(int i) { return (i + 1) % LANES; } };
struct Low { static constexpr int of(int i) { return i / 4 * 4 + i % 4 / 2 + i % 2 * LANES; } };
struct High { static constexpr int of(int i) { return Low::of(i) + 2; } };
struct First { static constexpr int of(int i) { return i / 4 * 4 + i % 2 + i % 4 / 2 * LANES; } };
struct Last { static constexpr int of(int i) { return First::of(i) + 2; } };

template <class Order, int... I>
inline Vec shuffled(const Vec& a, const Vec& b, std::integer_sequence<int, I...>) {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, Order::of(I)...);
#else
    return __builtin_shuffle(a, b, Bits{Order::of(I)...});
#endif
}
template <class Order>
inline Vec shuffle(const Vec& a, const Vec& b) {
    return shuffled<Order>(a, b, std::make_integer_sequence<int, LANES>{});
}

// Each lane gets what the next one has.
inline Vec next_lane(const Vec& v) { return shuffle<Next>(v, v); }

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
    const Vec ab0 = shuffle<Low>(a, b), ab1 = shuffle<High>(a, b);
    const Vec cd0 = shuffle<Low>(c, d), cd1 = shuffle<High>(c, d);
    a = shuffle<First>(ab0, cd0);
    b = shuffle<Last>(ab0, cd0);
    c = shuffle<First>(ab1, cd1);
    d = shuffle<Last>(ab1, cd1);
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

}  // namespace
}  // namespace mmlth
