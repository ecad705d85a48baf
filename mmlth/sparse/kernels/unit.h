// What a unit reads and writes: its tiles, into the lanes of vectors and back.

namespace mmlth {
namespace {

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

constexpr int64_t AHEAD = 3;        // channels that are fetched ahead

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
        const int apart = period < 16 ? 16 / period : 1;    // lanes, a cache line
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
                // A channel further on: its rows are pages away, no processor foresees them.
                for (int lane = 0; lane < LANES; lane += apart)
                    __builtin_prefetch(rows[h].at[lane] + AHEAD * rows[h].step[lane]);
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

    // Whether all points of the unit lie in one plane.
    bool together() const {
        const int64_t count = LANES * c.tile_w;
        return first + count <= c.batch * plane && first % plane + count <= plane;
    }

    void unpack_points(int64_t channel, int64_t count, const Vec* sums) const {
        if (together()) {       // a channel at a time: its points are neighbours in memory
            float* to = c.output + (first / plane * c.out_channels + channel) * plane
                + first % plane;
            for (int64_t i = 0; i < count; ++i, to += plane)
                for (int64_t j = 0; j < c.tile_w; ++j) store_vector(to + j * LANES, *sums++);
            return;
        }
        for (int64_t j = 0; j < c.tile_w; ++j) {
            const float* from = reinterpret_cast<const float*>(sums + j);
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t p = first + j * LANES + lane;
                if (p >= c.batch * plane) break;
                float* to = c.output + (p / plane * c.out_channels + channel) * plane + p % plane;
                for (int64_t i = 0; i < count; ++i) to[i * plane] = from[i * c.tile_w * LANES + lane];
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

}  // namespace
}  // namespace mmlth
