// The kernels without PyTorch, against sums in double: layers of all kinds, drawn at random.
// Prints "ok KERNELS" for each instruction set that the processor has; exit status 1 if wrong.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "conv.h"

namespace {

std::mt19937 generator(0);
int64_t draw(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator);
}
std::vector<float> normal(int64_t count) {
    std::vector<float> values(count);
    for (float& v : values) v = std::normal_distribution<float>()(generator);
    return values;
}

struct Stream {
    std::vector<float> values;
    std::vector<int16_t> offsets;
    std::vector<int32_t> starts{0};
};

Stream pack(const mmlth::Conv& c, const std::vector<float>& weight) {
    const int64_t channels = c.channels / c.groups, outs = c.out_channels / c.groups;
    const int64_t high = (c.tile_h - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
    const int64_t wide = (c.tile_w - 1) * c.stride_w + (c.kernel_w - 1) * c.dilation_w + 1;
    Stream s;
    for (int64_t g = 0; g < c.groups; ++g)
        for (int64_t b = 0; b < channels; b += c.block)
            for (int64_t o = g * outs; o < (g + 1) * outs; ++o) {
                for (int64_t i = b; i < channels && i < b + c.block; ++i)
                    for (int64_t y = 0; y < c.kernel_h; ++y)
                        for (int64_t x = 0; x < c.kernel_w; ++x) {
                            const float v =
                                weight[((o * channels + i) * c.kernel_h + y) * c.kernel_w + x];
                            if (v == 0) continue;
                            s.values.push_back(v);
                            s.offsets.push_back(((i - b) * high + y * c.dilation_h) * wide
                                                + x * c.dilation_w);
                        }
                s.starts.push_back(s.values.size());
            }
    return s;
}

// The largest error, relative to the sum of the terms' magnitudes.
double error(const mmlth::Conv& c, const std::vector<float>& weight) {
    const int64_t channels = c.channels / c.groups, outs = c.out_channels / c.groups;
    double worst = 0;
    for (int64_t n = 0; n < c.batch; ++n)
        for (int64_t o = 0; o < c.out_channels; ++o)
            for (int64_t y = 0; y < c.out_height; ++y)
                for (int64_t x = 0; x < c.out_width; ++x) {
                    double sum = c.bias ? c.bias[o] : 0, size = std::fabs(sum) + 1e-30;
                    for (int64_t i = 0; i < channels; ++i)
                        for (int64_t h = 0; h < c.kernel_h; ++h)
                            for (int64_t w = 0; w < c.kernel_w; ++w) {
                                const int64_t row = y * c.stride_h - c.pad_h + h * c.dilation_h;
                                const int64_t column = x * c.stride_w - c.pad_w + w * c.dilation_w;
                                if (row < 0 || column < 0 || row >= c.height || column >= c.width)
                                    continue;
                                const double term = static_cast<double>(
                                    weight[((o * channels + i) * c.kernel_h + h) * c.kernel_w + w])
                                    * c.input[((n * c.channels + o / outs * channels + i)
                                               * c.height + row) * c.width + column];
                                sum += term;
                                size += std::fabs(term);
                            }
                    const float found = c.output[((n * c.out_channels + o) * c.out_height + y)
                                                 * c.out_width + x];
                    worst = std::fmax(worst, std::fabs(found - sum) / size);
                }
    return worst;
}

double one(const mmlth::Kernels& kernels) {
    mmlth::Conv c{};
    c.batch = draw(1, 3);
    c.groups = draw(1, 2);
    c.channels = c.groups * draw(1, 9);
    c.out_channels = c.groups * draw(1, 9);
    const bool point = draw(0, 2) == 0;
    c.kernel_h = point ? 1 : draw(1, 4);
    c.kernel_w = point ? 1 : draw(1, 4);
    c.stride_h = point ? 1 : draw(1, 3);
    c.stride_w = point ? 1 : draw(1, 3);
    c.pad_h = point ? 0 : draw(0, 3);
    c.pad_w = point ? 0 : draw(0, 3);
    c.dilation_h = draw(1, 2);
    c.dilation_w = draw(1, 2);
    const bool region = point && draw(0, 1);
    const int64_t high = (c.kernel_h - 1) * c.dilation_h + 1, wide = (c.kernel_w - 1) * c.dilation_w + 1;
    c.height = region ? 1 : std::max<int64_t>(1, high + draw(0, 20) - 2 * c.pad_h);
    c.width = region ? 1 : std::max<int64_t>(1, wide + draw(0, 20) - 2 * c.pad_w);
    if (region) c.batch = draw(1, 70);
    c.out_height = (c.height + 2 * c.pad_h - high) / c.stride_h + 1;
    c.out_width = (c.width + 2 * c.pad_w - wide) / c.stride_w + 1;
    do {
        c.tile_h = point ? 1 : draw(1, 7);
        c.tile_w = c.stride_w > 2 ? 1 : draw(1, 8);
    } while (c.tile_h * c.tile_w > kernels.accumulators);
    c.block = draw(1, c.channels / c.groups);
    // Exactly as long as it must be: a sanitizer sees what is read beyond.
    std::vector<float> input = normal(c.batch * c.channels * c.height * c.width);
    std::vector<float> weight =
        normal(c.out_channels * c.channels / c.groups * c.kernel_h * c.kernel_w);
    const int64_t density = draw(0, 10);
    for (float& v : weight) if (draw(1, 10) > density) v = 0;
    const std::vector<float> bias = normal(c.out_channels);
    std::vector<float> output(c.batch * c.out_channels * c.out_height * c.out_width, NAN);
    const Stream s = pack(c, weight);
    c.input = input.data();
    c.values = s.values.data();
    c.offsets = s.offsets.data();
    c.starts = s.starts.data();
    c.bias = draw(0, 1) ? bias.data() : nullptr;
    c.output = output.data();
    const int64_t half = draw(0, c.out_channels);
    for (int64_t unit = 0; unit < kernels.units(c); ++unit) {
        if (half) kernels.run(c, unit, 0, half);
        if (half < c.out_channels) kernels.run(c, unit, half, c.out_channels);
    }
    return error(c, weight);
}

// The largest difference of a max pooling; no memory beside the tensors'.
double one_pool(const mmlth::Kernels& kernels) {
    mmlth::Pool p{};
    p.kernel_h = draw(1, 5), p.kernel_w = draw(1, 5);
    p.stride_h = draw(1, 3), p.stride_w = draw(1, 3);
    p.dilation_h = draw(1, 2), p.dilation_w = draw(1, 2);
    p.pad_h = draw(0, p.kernel_h / 2), p.pad_w = draw(0, p.kernel_w / 2);
    p.height = (p.kernel_h - 1) * p.dilation_h + draw(1, 9);
    p.width = (p.kernel_w - 1) * p.dilation_w + draw(1, 70);
    p.out_height = (p.height + 2 * p.pad_h - (p.kernel_h - 1) * p.dilation_h - 1) / p.stride_h + 1;
    p.out_width = (p.width + 2 * p.pad_w - (p.kernel_w - 1) * p.dilation_w - 1) / p.stride_w + 1;
    const std::vector<float> input = normal(p.height * p.width);
    std::vector<float> output(p.out_height * p.out_width, NAN);
    p.input = input.data();
    p.output = output.data();
    kernels.pool(p, 0);
    double worst = 0;
    for (int64_t y = 0; y < p.out_height; ++y)
        for (int64_t x = 0; x < p.out_width; ++x) {
            float most = -INFINITY;
            for (int64_t h = 0; h < p.kernel_h; ++h)
                for (int64_t w = 0; w < p.kernel_w; ++w) {
                    const int64_t row = y * p.stride_h - p.pad_h + h * p.dilation_h;
                    const int64_t column = x * p.stride_w - p.pad_w + w * p.dilation_w;
                    if (row >= 0 && column >= 0 && row < p.height && column < p.width)
                        most = std::fmax(most, input[row * p.width + column]);
                }
            worst = std::fmax(worst, std::fabs(output[y * p.out_width + x] - most));
        }
    return worst;
}

// Regions of a map whose pixels say x + 2 y: those inside say so at their bins' centres.
double one_align(const mmlth::Kernels& kernels) {
    mmlth::Align a{};
    a.channels = draw(1, 20), a.height = draw(1, 30), a.width = draw(1, 30);
    a.bins_h = draw(1, 8), a.bins_w = draw(1, 8);
    a.samples = draw(0, 3), a.scale = 0.5f, a.aligned = true;
    std::vector<float> input(a.channels * a.height * a.width), region(5, 0.f);
    for (int64_t i = 0; i < static_cast<int64_t>(input.size()); ++i)
        input[i] = i % a.width + 2 * (i / a.width % a.height);
    const bool inside = a.height > 1 && a.width > 1 && draw(0, 1);
    const auto edges = [&](int64_t size, float& from, float& to) {
        std::uniform_real_distribution<float> any(inside ? 1 : -20, inside ? 2 * size - 1 : 90);
        from = any(generator), to = any(generator);
        if (from > to) std::swap(from, to);
    };
    edges(a.width, region[1], region[3]);
    edges(a.height, region[2], region[4]);
    std::vector<float> output(a.channels * a.bins_h * a.bins_w, NAN);
    a.input = input.data();
    a.regions = region.data();
    a.output = output.data();
    kernels.align(a, 0);
    double worst = 0;
    for (int64_t i = 0; i < static_cast<int64_t>(output.size()); ++i) {
        const double across = (i % a.bins_w + .5) / a.bins_w;
        const double down = (i / a.bins_w % a.bins_h + .5) / a.bins_h;
        const double x = (region[1] + across * (region[3] - region[1])) * a.scale - .5;
        const double y = (region[2] + down * (region[4] - region[2])) * a.scale - .5;
        worst = std::fmax(worst, inside ? std::fabs(output[i] - (x + 2 * y)) / 100
                                        : !(output[i] >= 0 && output[i] < 100));
    }
    return worst;
}

}  // namespace

int main(int count, char** arguments) {
    const int layers = count > 1 ? std::atoi(arguments[1]) : 300;
    for (const char* name : {"avx512", "avx2", "baseline"}) {
        const mmlth::Kernels* kernels = mmlth::kernels(name);
        if (!kernels) continue;
        double worst = 0;
        for (int i = 0; i < layers; ++i) {
            worst = std::fmax(worst, one(*kernels));
            worst = std::fmax(worst, one_pool(*kernels));
            worst = std::fmax(worst, one_align(*kernels));
        }
        if (!(worst <= 1e-6)) {
            std::printf("%s: error %g\n", name, worst);
            return 1;
        }
        std::printf("ok %s\n", name);
    }
}
