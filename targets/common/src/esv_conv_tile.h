/* Inside of the convolution: what its levels share. A tile is some output pixels of a row; the inputs they need are
 * laid out in columns, (kernel_height, in_channels) and zeros up to a multiple of 4, so that the inputs of one output
 * pixel, its window, are kernel_width columns one behind the other. With dilation d, columns whose numbers are equal
 * modulo d lie together. */
#ifndef ESV_CONV_TILE_H
#define ESV_CONV_TILE_H

#include "esv_conv.h"
#include "esv_kernel_level.h"

typedef struct {
    uint32_t column;        /* values in a column */
    uint32_t window;        /* values in a window */
    uint32_t phases;        /* output pixels are computed in this many interleaved runs */
    uint32_t per_phase;     /* columns in each residue class of the dilation */
    uint32_t window_step;   /* values from one window of a run to the next */
    uint32_t residues;      /* such classes: a single pixel needs one only */
    uint32_t num_pixels;    /* output pixels in this tile */
    uint32_t columns_bytes; /* of all columns */
    uint32_t decoded_bytes; /* of a channel's decoded weights: of the window, up to a multiple of 32 */
    uint32_t weights_bytes; /* room for decoded weights */
} esv_conv_tile;

/* The pixels phase, phase + phases, ... of a tile: their windows lie at equal distances. */
typedef struct {
    uint32_t window; /* where the first one begins, in values; the next is window_step further */
    uint32_t count;
} esv_conv_run;

static inline esv_conv_run esv_conv_find_run(const esv_conv_params *params, const esv_conv_tile *tile, uint32_t phase)
{
    esv_conv_run run = {0, tile->num_pixels};
    if (tile->phases > 1) {
        const uint32_t first = phase * params->stride_width;
        const uint32_t slot = first / params->dilation_width;
        const uint32_t residue = first - slot * params->dilation_width;
        run.window = (residue * tile->per_phase + slot) * tile->column;
        run.count = tile->num_pixels > phase ? (tile->num_pixels - phase + tile->phases - 1u) / tile->phases : 0u;
    }
    return run;
}

/* A sum as output: requantized, within the activation's range. */
int8_t esv_conv_requantize(const esv_conv_params *params, uint32_t channel, int32_t sum);

/* All output channels of a tile; each level has its own. columns: (columns_bytes); they may be the second half of the
 * first 2 * columns_bytes of scratch. out: the tile's first pixel. scratch: 2 * columns_bytes, weights_bytes, and 4
 * bytes for each pair of indices where there is a codebook. */
void esv_conv_compute(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *columns, int8_t *out,
                      void *scratch);

#endif /* ESV_CONV_TILE_H */
