// Regions averaged over a grid of bins (RoIAlign). A bin is the mean of bilinear samples; their
// weights are products of one of the row and one of the column, so that an axis is done at a
// time. A lane is a channel.

namespace mmlth {
namespace {

// What each bin takes of one axis: the weights of the pixels [first, last).
struct Axis {
    int64_t first[MAX_BINS], last[MAX_BINS];
    int64_t begin, end;         // of all bins
    int64_t pitch;              // weights of a bin
    float* weights;

    // The region starts at `start`, its bins are `size` long; `samples` for each, or 0: as many
    // as it has pixels.
    void set(int64_t bins, int64_t pixels, float start, float size, int64_t samples,
             Buffer& buffer) {
        const float most_samples = 1 << 20;     // not so many where a region is no number
        if (samples == 0) samples = size > 0 && size < most_samples ? __builtin_ceilf(size) : 0;
        begin = pixels;
        end = 0;
        for (int64_t bin = 0; bin < bins; ++bin) {
            first[bin] = pixels;
            last[bin] = 0;
            for (int64_t i = 0; i < samples; ++i) {
                const float at = start + bin * size + (i + .5f) * size / samples;
                if (!(at >= -1 && at <= pixels)) continue;
                const int64_t low = least(at > 0 ? static_cast<int64_t>(at) : 0, pixels - 1);
                first[bin] = least(first[bin], low);
                last[bin] = most(last[bin], least(low + 2, pixels));
            }
            begin = least(begin, first[bin]);
            end = most(end, last[bin]);
        }
        begin = least(begin, end);      // where no sample is inside
        pitch = most(end - begin, 1);
        weights = reinterpret_cast<float*>(buffer.take(bins * pitch / LANES + 1));
        std::memset(weights, 0, bins * pitch * sizeof(float));
        for (int64_t bin = 0; bin < bins; ++bin)
            for (int64_t i = 0; i < samples; ++i) {
                float at = start + bin * size + (i + .5f) * size / samples;
                if (!(at >= -1 && at <= pixels)) continue;
                at = at > 0 ? at : 0;
                const int64_t low = least(static_cast<int64_t>(at), pixels - 1);
                const float part = low < pixels - 1 ? at - low : 0;
                of(bin)[low] += (1 - part) / samples;
                if (part > 0) of(bin)[low + 1] += part / samples;
            }
    }
    // By pixel of the image.
    float* of(int64_t bin) { return weights + bin * pitch - begin; }
};

// Bins [0, bins) of an axis, each the sum of weighted vectors, `step` apart; `from` is the first
// pixel's.
inline void reduce(Axis& axis, int64_t bins, const Vec* from, int64_t step, Vec* to,
                   int64_t to_step) {
    for (int64_t bin = 0; bin < bins; ++bin) {
        const float* weights = axis.of(bin);
        Vec sum{};
        for (int64_t i = axis.first[bin]; i < axis.last[bin]; ++i)
            sum += broadcast(weights[i]) * from[(i - axis.begin) * step];
        to[bin * to_step] = sum;
    }
}

void align(const Align& a, int64_t region) {
    thread_local Buffer memory[5];
    thread_local Axis rows, columns;
    const float* box = a.regions + 5 * region;
    const float shift = a.aligned ? .5f : 0.f, smallest = a.aligned ? 0.f : 1.f;
    const float left = box[1] * a.scale - shift, top = box[2] * a.scale - shift;
    float wide = box[3] * a.scale - shift - left, high = box[4] * a.scale - shift - top;
    wide = wide < smallest ? smallest : wide;
    high = high < smallest ? smallest : high;
    rows.set(a.bins_h, a.height, top, high / a.bins_h, a.samples, memory[0]);
    columns.set(a.bins_w, a.width, left, wide / a.bins_w, a.samples, memory[1]);
    const int64_t bins = a.bins_h * a.bins_w, across = columns.end - columns.begin;
    Vec* line = memory[2].take(most(across, 1));
    Vec* lines = memory[3].take(most(rows.end - rows.begin, 1) * a.bins_w);
    Vec* result = memory[4].take(bins + bins / LANES + 1);
    float* spare = reinterpret_cast<float*>(result + bins);     // of lanes without a channel
    for (int64_t channel = 0; channel < a.channels; channel += LANES) {
        const float* from[LANES];
        float* to[LANES];
        for (int lane = 0; lane < LANES; ++lane) {
            const bool inside = channel + lane < a.channels;
            const int64_t c = inside ? channel + lane : channel;
            from[lane] = a.input + ((static_cast<int64_t>(box[0]) * a.channels + c) * a.height
                                    + rows.begin) * a.width + columns.begin;
            to[lane] = inside ? a.output + (region * a.channels + c) * bins : spare;
        }
        for (int64_t y = rows.begin; across && y < rows.end; ++y) {
            gather(from, across, line, 1);
            reduce(columns, a.bins_w, line, 1, lines + (y - rows.begin) * a.bins_w, 1);
            for (int lane = 0; lane < LANES; ++lane) from[lane] += a.width;
        }
        if (!across) std::memset(result, 0, bins * sizeof(Vec));
        for (int64_t x = 0; across && x < a.bins_w; ++x)
            reduce(rows, a.bins_h, lines + x, a.bins_w, result + x, a.bins_w);
        scatter(result, 1, bins, to);
    }
}

}  // namespace
}  // namespace mmlth
