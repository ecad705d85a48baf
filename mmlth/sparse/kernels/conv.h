// What a kernel is told: a layer and its tensors. Plain C++, no PyTorch.
#pragma once
#include <cstdint>

namespace mmlth {

// One sparse convolution or linear layer. All tensors are contiguous; input and output are NCHW.
// A linear layer is a 1x1 convolution of maps of 1x1. The surviving weights come as one stream
// (mmlth/sparse/pack.py): in the order of convolution group, block of input channels, output
// channel; within these by input channel, row, column.
struct Conv {
    int64_t batch, channels, height, width;
    int64_t out_channels, out_height, out_width;
    int64_t groups, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int64_t tile_h, tile_w;     // outputs that one lane of the vectors computes
    int64_t block;              // input channels that are packed at a time
    const float* input;
    const float* values;        // surviving weights
    const int16_t* offsets;     // of each, where its input stands in the packed block, in vectors
    const int32_t* starts;      // where each (group, block, output channel) starts; and the end
    const float* bias;          // one per output channel, or null
    float* output;
};

// Regions of feature maps, averaged over bins (RoIAlign); all tensors are contiguous.
constexpr int64_t MAX_BINS = 64;
struct Align {
    int64_t channels, height, width;
    int64_t bins_h, bins_w;     // at most MAX_BINS each
    int64_t samples;            // of a bin and axis; 0: as many as it has pixels
    float scale;                // pixels of the map per pixel of the image
    bool aligned;               // pixels' centres are at halves
    const float* input;         // NCHW
    const float* regions;       // each (number of the map, x1, y1, x2, y2) on the image
    float* output;              // (regions, channels, bins_h, bins_w)
};

// Max pooling of planes; contiguous.
struct Pool {
    int64_t height, width, out_height, out_width;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    const float* input;
    float* output;
};

// One instruction set's kernels.
struct Kernels {
    const char* name;
    int lanes;                  // floats in a vector
    int accumulators;           // tile_h * tile_w may be at most this
    // How many spatial units the layer has.
    int64_t (*units)(const Conv&);
    // Compute output channels [first, last) of one unit. Any number of threads may call this.
    void (*run)(const Conv&, int64_t unit, int64_t first, int64_t last);
    // Compute one region. Likewise.
    void (*align)(const Align&, int64_t region);
    // Compute one plane. Likewise.
    void (*pool)(const Pool&, int64_t plane);
};

extern const Kernels baseline;
#if defined(__x86_64__)
extern const Kernels avx2, avx512;
#endif

// What this processor runs fastest; `name` picks another one, null if it cannot run.
const Kernels* kernels(const char* name = nullptr);

}  // namespace mmlth
