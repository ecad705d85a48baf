// Max pooling, an axis at a time: the rows of a window into one line, then the line's windows.

namespace mmlth {
namespace {

constexpr float NONE = -__builtin_inff();

// The larger one; nan if `value` is nan, and it stays.
inline Vec larger(const Vec& most, const Vec& value) {
    const Bits take = (value > most) | (value != value);
    return (Vec)(((Bits)value & take) | ((Bits)most & ~take));
}
inline float larger(float most, float value) {
    return value > most || value != value ? value : most;
}

// Every second float of two vectors.
struct Even { static constexpr int of(int i) { return 2 * i; } };

// Fold a row of `width` floats into the line.
inline void fold_row(const float* row, int64_t width, float* line) {
    int64_t x = 0;
    for (; x + LANES <= width; x += LANES)
        store_vector(line + x, larger(load_vector(line + x), load_vector(row + x)));
    for (; x < width; ++x) line[x] = larger(line[x], row[x]);
}

void pool(const Pool& p, int64_t plane) {
    thread_local Buffer memory;
    const float* input = p.input + plane * p.height * p.width;
    float* output = p.output + plane * p.out_height * p.out_width;
    const int64_t length = most(p.pad_w + p.width, (p.out_width - 1) * p.stride_w
                                + (p.kernel_w - 1) * p.dilation_w + 1);
    float* line = reinterpret_cast<float*>(memory.take(length / LANES + 1));
    for (int64_t i = 0; i < length; ++i) line[i] = NONE;
    for (int64_t y = 0; y < p.out_height; ++y, output += p.out_width) {
        for (int64_t i = 0; i < p.width; ++i) line[p.pad_w + i] = NONE;
        for (int64_t k = 0; k < p.kernel_h; ++k) {
            const int64_t row = y * p.stride_h - p.pad_h + k * p.dilation_h;
            if (row >= 0 && row < p.height)
                fold_row(input + row * p.width, p.width, line + p.pad_w);
        }
        int64_t x = 0;
        const int64_t last = (p.kernel_w - 1) * p.dilation_w;
        for (; p.stride_w <= 2 && x + LANES <= p.out_width
             && (x + LANES) * p.stride_w + last <= length; x += LANES) {
            Vec found = NONE - Vec{};
            for (int64_t k = 0; k < p.kernel_w; ++k) {
                const float* at = line + x * p.stride_w + k * p.dilation_w;
                const Vec v = load_vector(at);
                found = larger(found, p.stride_w == 1 ? v
                                      : shuffle<Even>(v, load_vector(at + LANES)));
            }
            store_vector(output + x, found);
        }
        for (; x < p.out_width; ++x) {
            output[x] = NONE;
            for (int64_t k = 0; k < p.kernel_w; ++k)
                output[x] = larger(output[x], line[x * p.stride_w + k * p.dilation_w]);
        }
    }
}

}  // namespace
}  // namespace mmlth
