/* The convolution around its inner loops: tiles of a row, and the columns they read. */
#include "esv_conv.h"

#include <string.h>

#include "esv_conv_tile.h"
#include "esv_requantize.h"

static uint32_t esv_conv_round_up(uint32_t value, uint32_t step) { return (value + step - 1u) / step * step; }

static uint32_t esv_conv_num_columns(const esv_conv_params *params, uint32_t num_pixels)
{
    return (num_pixels - 1u) * params->stride_width + (params->kernel_width - 1u) * params->dilation_width + 1u;
}

/* Widened weights of two channels, or four decoded ones; for single pixels one channel's, decoded. */
static uint32_t esv_conv_weights_bytes(const esv_conv_params *params, uint32_t decoded_bytes)
{
    if (params->tile_width > 1) {
        return 4u * decoded_bytes;
    }
    return params->weight_bits == 8 ? 8u : decoded_bytes;
}

static esv_conv_tile esv_conv_describe_tile(const esv_conv_params *params, uint32_t num_pixels)
{
    esv_conv_tile tile;
    tile.column = esv_conv_round_up((uint32_t)params->kernel_height * params->in_channels, 4);
    tile.window = params->kernel_width * tile.column;
    tile.phases = 1;
    while (tile.phases * params->stride_width % params->dilation_width != 0) {
        ++tile.phases;
    }
    tile.window_step = tile.phases * params->stride_width / params->dilation_width * tile.column;
    const uint32_t columns = esv_conv_num_columns(params, num_pixels);
    tile.per_phase = esv_conv_round_up(columns, params->dilation_width) / params->dilation_width;
    tile.num_pixels = num_pixels;
    tile.residues = num_pixels == 1 ? 1u : params->dilation_width;
    tile.columns_bytes = tile.per_phase * tile.residues * tile.column;
    tile.decoded_bytes = esv_conv_round_up(tile.window, 32);
    tile.weights_bytes = esv_conv_weights_bytes(params, tile.decoded_bytes);
    return tile;
}

size_t esv_conv_scratch_bytes(const esv_conv_params *params)
{
    const esv_conv_tile tile = esv_conv_describe_tile(params, params->tile_width);
    const size_t pairs = params->codebook == NULL ? 0u : (size_t)1u << (2u * params->weight_bits);
    return (size_t)2u * tile.columns_bytes + tile.weights_bytes + 4u * pairs;
}

/* A copy of few bytes, without a call. */
static inline void esv_conv_copy(int8_t *out, const int8_t *in, uint32_t count)
{
#ifdef ESV_LEVEL_MVE
    __asm__ volatile("wlstp.8 lr, %[count], 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%[in]], #16\n"
                     "vstrb.8 q0, [%[out]], #16\n"
                     "letp    lr, 1b\n"
                     "2:\n"
                     : [in] "+r"(in), [out] "+r"(out)
                     : [count] "r"(count)
                     : "q0", "lr", "memory");
#else
    for (; count >= 4u; count -= 4u, in += 4, out += 4) {
        memcpy(out, in, 4);
    }
    for (; count > 0; --count) {
        *out++ = *in++;
    }
#endif
}

static int8_t *esv_conv_fill_padding(const esv_conv_params *params, uint32_t count, uint32_t column, int8_t *out)
{
    for (; count > 0; --count, out += column) {
        memset(out, params->input_zero_point, params->in_channels);
    }
    return out;
}

/* count: from 1. */
static int8_t *esv_conv_fill_pixels(const int8_t *in, uint32_t channels, uint32_t in_step, uint32_t count,
                                    uint32_t column, int8_t *out)
{
    if (channels == 1) {
        do {
            *out = *in;
            in += in_step;
            out += column;
        } while (--count > 0);
    } else {
        do {
            esv_conv_copy(out, in, channels);
            in += in_step;
            out += column;
        } while (--count > 0);
    }
    return out;
}

/* Copies what one row gives to columns: `count` pixels from x on, each `dilation` further than the one before; outside
 * of the row there is the zero point. out: where the row begins in the first column. */
static void esv_conv_fill_row(const esv_conv_params *params, const int8_t *row, int32_t x, uint32_t count,
                              uint32_t column, int8_t *out)
{
    const int32_t step = params->dilation_width;
    uint32_t before = 0;
    for (; x < 0 && before < count; x += step) {
        ++before;
    }
    const uint32_t reach = x < params->in_width ? (uint32_t)(params->in_width - x + step - 1) / (uint32_t)step : 0u;
    const uint32_t inside = reach < count - before ? reach : count - before;
    out = esv_conv_fill_padding(params, before, column, out);
    if (inside > 0) {
        const uint32_t channels = params->in_channels;
        out = esv_conv_fill_pixels(row + (uint32_t)x * channels, channels, (uint32_t)step * channels, inside, column,
                                   out);
    }
    esv_conv_fill_padding(params, count - before - inside, column, out);
}

static void esv_conv_fill(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *const rows[],
                          int32_t first, int8_t *columns)
{
    if (tile->column != (uint32_t)params->kernel_height * params->in_channels) {
        memset(columns, 0, tile->columns_bytes); /* the ends of columns */
    }
    for (uint32_t residue = 0; residue < tile->residues; ++residue) {
        for (uint32_t ky = 0; ky < params->kernel_height; ++ky) {
            esv_conv_fill_row(params, rows[ky], first + (int32_t)residue, tile->per_phase, tile->column,
                              columns + ky * params->in_channels);
        }
        columns += tile->per_phase * tile->column;
    }
}

int8_t esv_conv_requantize(const esv_conv_params *params, uint32_t channel, int32_t sum)
{
    return esv_requantize_to_s8(sum, params->multiplier[channel], params->shift[channel], params->output_zero_point,
                                params->activation_min, params->activation_max);
}

/* Returns the columns under a tile: in the row itself where they lie there as they should, otherwise in `room`. */
static const int8_t *esv_conv_find_columns(const esv_conv_params *params, const esv_conv_tile *tile,
                                           const int8_t *const rows[], uint32_t first_pixel, int8_t *room)
{
    const int32_t first = (int32_t)(first_pixel * params->stride_width) - params->pad_left;
    const int32_t end = first + (int32_t)esv_conv_num_columns(params, tile->num_pixels);
    if (tile->column == params->in_channels && params->dilation_width == 1 && first >= 0 && end <= params->in_width) {
        return rows[0] + (uint32_t)first * tile->column;
    }
    esv_conv_fill(params, tile, rows, first, room);
    return room;
}

void esv_conv_s8(const esv_conv_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    for (uint32_t first = 0; first < params->out_width; first += params->tile_width) {
        const uint32_t left = params->out_width - first;
        const esv_conv_tile tile =
            esv_conv_describe_tile(params, left < params->tile_width ? left : params->tile_width);
        const int8_t *columns =
            esv_conv_find_columns(params, &tile, rows, first, (int8_t *)scratch + tile.columns_bytes);
        esv_conv_compute(params, &tile, columns, out + first * params->out_channels, scratch);
    }
}

void esv_conv_line_s8(const esv_conv_params *params, const int8_t *in, int8_t *out, void *scratch)
{
    esv_conv_s8(params, &in, out, scratch);
}
