/* Convolution of int8 activations, one output row at a time: CONV_2D, and FULLY_CONNECTED as its 1x1 case.
 *
 * A row is (width, channels) int8. The caller says where the rows lie that the kernel's taps in height need; a padded
 * one is a row full of the input's zero point. Padding in width is done here.
 *
 * Three levels by the compiler's macros, with the same bits: portable C99, the DSP extension, MVE. */
#ifndef ESV_CONV_H
#define ESV_CONV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Weights are stored once for each output channel, in the order (kernel_width, column), where a column is
 * (kernel_height, in_channels) and zeros up to a multiple of 4: with `window` = kernel_width * column,
 *   8 bits             (out_channels, window) int8
 *   4 bits, codebook 0 (out_channels, groups of 8, 4 bytes): byte i of a group holds weight i low, i + 4 high, plus 8
 *   1-4 bits, codebook (out_channels, groups of 8, weight_bits bytes): little endian, indices at rising bits in the
 *                      order 0 2 1 3 4 6 5 7; the codebook is (2**weight_bits) int8, of the layer or of each channel
 * The address is a multiple of 4. edge_sv_converters.c_source.weights packs them. */
typedef struct {
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_width;
    uint16_t out_channels;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_width;
    uint16_t dilation_width;
    uint16_t pad_left;
    uint16_t tile_width; /* output pixels computed from one set of expanded inputs: scratch against speed */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t weight_bits;     /* 8, 4, or with a codebook 1 to 4 */
    uint8_t codebook_stride; /* int8 values from one channel's codebook to the next: 0 or 2**weight_bits */
    const void *weights;
    const int8_t *codebook; /* null, (2**weight_bits) or (out_channels, 2**weight_bits) */
    const int32_t *bias;    /* (out_channels): bias - input_zero_point * sum of the channel's weights, modulo 2**32 */
    const int32_t *multiplier; /* (out_channels), see esv_requantize.h */
    const int8_t *shift;       /* (out_channels) */
} esv_conv_params;

/* rows: (kernel_height) pointers to (in_width, in_channels); out: (out_width, out_channels), apart from the rows;
 * scratch: esv_conv_scratch_bytes(params), a multiple of 8 as address. */
void esv_conv_s8(const esv_conv_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

/* A kernel of one row on the one row `in`: many pixels in one call, for 1x1 kernels and kernels along one axis. */
void esv_conv_line_s8(const esv_conv_params *params, const int8_t *in, int8_t *out, void *scratch);

/* Enough for each of the three levels. */
size_t esv_conv_scratch_bytes(const esv_conv_params *params);

#ifdef __cplusplus
}
#endif

#endif /* ESV_CONV_H */
