// The kernels as PyTorch operators, and their threads.
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch/version.h>

#include <string>
#include <vector>

#include "op.h"

std::atomic<const mmlth::Kernels*> mmlth_kernels{mmlth::kernels()};

namespace {

using at::Tensor;

constexpr int64_t SUMS_BYTES = 256 << 10;   // of one unit: they stay in the L2 cache

// Choose kernels, '' to keep those in use; gives their lanes and accumulators.
std::vector<int64_t> use_kernels(const std::string& name) {
    if (!name.empty()) {
        const mmlth::Kernels* kernels = mmlth::kernels(name == "fastest" ? nullptr : name.c_str());
        TORCH_CHECK(kernels, "this processor has no kernels '", name, "'");
        mmlth_kernels = kernels;
    }
    return {mmlth_kernels.load()->lanes, mmlth_kernels.load()->accumulators};
}

// Bounds of `parts` ranges of output channels with about equal numbers of survivors.
std::vector<int64_t> split(const mmlth::Conv& c, int64_t parts) {
    const int64_t outs = c.out_channels / c.groups, channels = c.channels / c.groups;
    const int64_t blocks = (channels + c.block - 1) / c.block;
    std::vector<int64_t> below(c.out_channels + 1, 0);      // survivors in channels before it
    for (int64_t o = 0; o < c.out_channels; ++o) {
        below[o + 1] = below[o] + 1;        // an empty row is work too
        for (int64_t b = 0; b < blocks; ++b) {
            const int32_t* start = c.starts + (o / outs * blocks + b) * outs + o % outs;
            below[o + 1] += start[1] - start[0];
        }
    }
    std::vector<int64_t> bounds{0};
    for (int64_t o = 1; o <= c.out_channels; ++o)
        if (below[o] * parts >= below.back() * static_cast<int64_t>(bounds.size()))
            bounds.push_back(o);
    return bounds;
}

void run(const mmlth::Conv& c, const mmlth::Kernels& kernels) {
    const int64_t units = kernels.units(c);
    const int64_t row = c.tile_h * c.tile_w * kernels.lanes * sizeof(float);
    const int64_t threads = at::get_num_threads();
    int64_t parts = (c.out_channels * row + SUMS_BYTES - 1) / SUMS_BYTES;
    if (threads > 1 && units * parts < 4 * threads) parts = (4 * threads + units - 1) / units;
    const std::vector<int64_t> bounds = split(c, std::min(parts, c.out_channels));
    const int64_t ranges = bounds.size() - 1;
    at::parallel_for(0, units * ranges, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            kernels.run(c, i / ranges, bounds[i % ranges], bounds[i % ranges + 1]);
    });
}

void check(const Tensor& input, const Tensor& values, const Tensor& offsets, const Tensor& starts,
           const c10::optional<Tensor>& bias, const mmlth::Conv& c, const mmlth::Kernels& kernels) {
    TORCH_CHECK(input.scalar_type() == at::kFloat, "the sparse kernels take float32, not ",
                input.scalar_type());
    TORCH_CHECK(values.scalar_type() == at::kFloat && offsets.scalar_type() == at::kShort &&
                starts.scalar_type() == at::kInt && values.is_contiguous() &&
                offsets.is_contiguous() && starts.is_contiguous(),
                "values are float32, offsets int16, starts int32, all contiguous");
    TORCH_CHECK(c.groups >= 1 && c.channels % c.groups == 0 && c.out_channels % c.groups == 0,
                c.groups, " groups do not divide ", c.channels, " and ", c.out_channels, " channels");
    TORCH_CHECK(c.tile_h >= 1 && c.tile_w >= 1 && c.tile_h <= 7 && c.tile_w <= 8 &&
                c.tile_h * c.tile_w <= kernels.accumulators && c.block >= 1 &&
                (c.stride_w <= 2 || c.tile_w == 1),
                "no kernel for tiles of ", c.tile_h, "x", c.tile_w);
    const int64_t blocks = (c.channels / c.groups + c.block - 1) / c.block;
    TORCH_CHECK(offsets.numel() == values.numel() &&
                starts.numel() == blocks * c.out_channels + 1 &&
                starts.data_ptr<int32_t>()[starts.numel() - 1] == values.numel(),
                "the weights were packed for another layer or block");
    TORCH_CHECK(!bias || (bias->scalar_type() == at::kFloat && bias->is_contiguous() &&
                          bias->numel() == c.out_channels), "the bias is one float32 per output");
}

Tensor sparse_conv2d(const Tensor& given, const Tensor& values, const Tensor& offsets,
                     const Tensor& starts, const c10::optional<Tensor>& bias,
                     at::IntArrayRef weight, at::IntArrayRef stride, at::IntArrayRef padding,
                     at::IntArrayRef dilation, int64_t groups, at::IntArrayRef tile,
                     int64_t block) {
    if (given.dim() == 3)
        return sparse_conv2d(given.unsqueeze(0), values, offsets, starts, bias, weight, stride,
                             padding, dilation, groups, tile, block).squeeze(0);
    TORCH_CHECK(given.dim() == 4 && weight.size() == 4 && given.size(1) == weight[1] * groups,
                "expected an input of ", weight[1] * groups, " channels, got ", given.sizes());
    const bool sampled = weight[2] == 1 && weight[3] == 1 && padding[0] == 0 && padding[1] == 0;
    const int64_t down = sampled ? 1 : stride[0], across = sampled ? 1 : stride[1];
    // A 1x1 convolution with a stride is one without, of every second pixel.
    const Tensor input = (sampled ? given.slice(2, 0, given.size(2), stride[0])
                                         .slice(3, 0, given.size(3), stride[1]) : given).contiguous();
    const int64_t height = input.size(2), width = input.size(3);
    const int64_t high = height + 2 * padding[0] - dilation[0] * (weight[2] - 1) - 1;
    const int64_t wide = width + 2 * padding[1] - dilation[1] * (weight[3] - 1) - 1;
    TORCH_CHECK(high >= 0 && wide >= 0, "the kernel is larger than the padded input ",
                given.sizes());
    Tensor output = empty_output({input.size(0), weight[0], high / down + 1, wide / across + 1},
                                 input.options());
    const mmlth::Kernels& kernels = *mmlth_kernels;
    mmlth::Conv c{input.size(0), input.size(1), height, width, weight[0], output.size(2),
                  output.size(3), groups, weight[2], weight[3], down, across, padding[0],
                  padding[1], dilation[0], dilation[1], tile[0], tile[1], block};
    check(input, values, offsets, starts, bias, c, kernels);
    c.input = input.data_ptr<float>();
    c.values = values.data_ptr<float>();
    c.offsets = offsets.data_ptr<int16_t>();
    c.starts = starts.data_ptr<int32_t>();
    c.bias = bias ? bias->data_ptr<float>() : nullptr;
    c.output = output.data_ptr<float>();
    if (output.numel()) run(c, kernels);
    return output;
}

Tensor sparse_linear(const Tensor& input, const Tensor& values, const Tensor& offsets,
                     const Tensor& starts, const c10::optional<Tensor>& bias, int64_t in_features,
                     int64_t out_features, int64_t tile, int64_t block) {
    TORCH_CHECK(input.dim() >= 1 && input.size(-1) == in_features, "expected an input of ",
                in_features, " features, got ", input.sizes());
    std::vector<int64_t> shape = input.sizes().vec();
    shape.back() = out_features;
    return sparse_conv2d(input.reshape({-1, in_features, 1, 1}), values, offsets, starts, bias,
                         {out_features, in_features, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 1, {1, tile},
                         block).reshape(shape);
}

at::ScalarType autocast_type() {
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 4
    return at::autocast::get_autocast_cpu_dtype();
#else
    return at::autocast::get_autocast_dtype(at::kCPU);
#endif
}

// As PyTorch's own layers under autocast: half precision is taken too, and the result has
// autocast's type. What is between is float32.
void autocast(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
    c10::impl::ExcludeDispatchKeyGuard guard(c10::DispatchKey::AutocastCPU);
    c10::IValue& input = stack->at(stack->size() - op.schema().arguments().size());
    const at::ScalarType type = input.toTensor().scalar_type();
    if (type == at::kHalf || type == at::kBFloat16) input = input.toTensor().to(at::kFloat);
    op.callBoxed(stack);
    stack->back() = stack->back().toTensor().to(autocast_type());
}

}  // namespace

TORCH_LIBRARY(mmlth, library) {
    library.def("use_kernels(str name) -> int[]", use_kernels);
    library.def("sparse_conv2d(Tensor input, Tensor values, Tensor offsets, Tensor starts, "
                "Tensor? bias, int[4] weight, int[2] stride, int[2] padding, int[2] dilation, "
                "int groups, int[2] tile, int block) -> Tensor");
    library.def("sparse_linear(Tensor input, Tensor values, Tensor offsets, Tensor starts, "
                "Tensor? bias, int in_features, int out_features, int tile, int block) -> Tensor");
}

TORCH_LIBRARY_IMPL(mmlth, CPU, library) {
    library.impl("sparse_conv2d", sparse_conv2d);
    library.impl("sparse_linear", sparse_linear);
}

TORCH_LIBRARY_IMPL(mmlth, AutocastCPU, library) {
    library.impl("sparse_conv2d", torch::CppFunction::makeFromBoxedFunction<&autocast>());
    library.impl("sparse_linear", torch::CppFunction::makeFromBoxedFunction<&autocast>());
}
