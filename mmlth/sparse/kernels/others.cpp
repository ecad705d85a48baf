// What is neither a convolution nor linear, as PyTorch operators.
#include <ATen/Parallel.h>
#include <ATen/ops/max_pool2d.h>
#include <torch/library.h>

#include "op.h"

namespace {

using at::Tensor;

Tensor roi_align(const Tensor& given, const Tensor& boxes, at::IntArrayRef size, double scale,
                 int64_t samples, bool aligned) {
    TORCH_CHECK(given.dim() == 4 && given.scalar_type() == at::kFloat && boxes.dim() == 2 &&
                boxes.size(1) == 5 && boxes.scalar_type() == at::kFloat,
                "expected float32 maps (N, C, H, W) and regions (R, 5), got ", given.sizes(),
                " and ", boxes.sizes());
    TORCH_CHECK(size[0] >= 1 && size[1] >= 1 && size[0] <= mmlth::MAX_BINS &&
                size[1] <= mmlth::MAX_BINS && samples >= 0, "no kernel for bins of ", size);
    const Tensor input = given.contiguous(), regions = boxes.contiguous();
    for (int64_t i = 0; i < regions.size(0); ++i) {
        const float map = regions.data_ptr<float>()[5 * i];
        TORCH_CHECK(map >= 0 && map < input.size(0), "region ", i, " is of map ", map);
    }
    Tensor output = empty_output({regions.size(0), input.size(1), size[0], size[1]},
                                 input.options());
    if (!input.numel()) return output.zero_();
    const mmlth::Kernels& kernels = *mmlth_kernels;
    const mmlth::Align a{input.size(1), input.size(2), input.size(3), size[0], size[1], samples,
                         static_cast<float>(scale), aligned, input.data_ptr<float>(),
                         regions.data_ptr<float>(), output.data_ptr<float>()};
    at::parallel_for(0, regions.size(0), 1, [&](int64_t begin, int64_t end) {
        for (int64_t region = begin; region < end; ++region) kernels.align(a, region);
    });
    return output;
}

Tensor pool2d(const Tensor& given, at::IntArrayRef kernel, at::IntArrayRef stride,
              at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil) {
    if (given.scalar_type() != at::kFloat)
        return at::max_pool2d(given, kernel, stride, padding, dilation, ceil);
    if (given.dim() == 3)
        return pool2d(given.unsqueeze(0), kernel, stride, padding, dilation, ceil).squeeze(0);
    TORCH_CHECK(given.dim() == 4, "expected maps (N, C, H, W), got ", given.sizes());
    int64_t size[2];
    for (int i : {0, 1}) {
        TORCH_CHECK(kernel[i] >= 1 && stride[i] >= 1 && dilation[i] >= 1 && padding[i] >= 0 &&
                    2 * padding[i] <= (kernel[i] - 1) * dilation[i] + 1, "no such max pooling");
        const int64_t length = given.size(2 + i);
        const int64_t room = length + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
        const int64_t steps = room + (ceil ? stride[i] - 1 : 0);
        TORCH_CHECK(steps >= 0, "the window is larger than the padded input ", given.sizes());
        size[i] = steps / stride[i] + 1;
        // The last window starts inside the image or its left padding.
        if (ceil && (size[i] - 1) * stride[i] >= length + padding[i]) --size[i];
    }
    const Tensor input = given.contiguous();
    Tensor output = empty_output({input.size(0), input.size(1), size[0], size[1]},
                                 input.options());
    const mmlth::Kernels& kernels = *mmlth_kernels;
    const mmlth::Pool p{input.size(2), input.size(3), size[0], size[1], kernel[0], kernel[1],
                        stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1],
                        input.data_ptr<float>(), output.data_ptr<float>()};
    at::parallel_for(0, output.numel() ? input.size(0) * input.size(1) : 0, 1,
                     [&](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) kernels.pool(p, plane);
    });
    return output;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mmlth, library) {
    library.def("roi_align(Tensor input, Tensor boxes, int[2] size, float scale, int samples, "
                "bool aligned) -> Tensor");
    library.def("max_pool2d(Tensor input, int[2] kernel, int[2] stride, int[2] padding, "
                "int[2] dilation, bool ceil) -> Tensor");
}

TORCH_LIBRARY_IMPL(mmlth, CPU, library) {
    library.impl("roi_align", roi_align);
    library.impl("max_pool2d", pool2d);
}
