/* Depthwise convolution of int8 activations, one output row at a time: DEPTHWISE_CONV_2D. Rows as in esv_conv.h. */
#ifndef ESV_DEPTHWISE_H
#define ESV_DEPTHWISE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a pointer may take in scratch, on any computer. */
#define ESV_DEPTHWISE_POINTER_BYTES 8u

/* Output channel c reads input channel c / depth_multiplier. Weights are int8, (groups of 4 output channels,
 * kernel_height, kernel_width, 4), zeros behind the last channel; narrower ones are widened offline, they weigh little.
 */
typedef struct {
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_width;
    uint16_t depth_multiplier;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_width;
    uint16_t dilation_width;
    uint16_t pad_left;
    uint16_t tile_width; /* output pixels whose places are looked up at once: scratch against speed */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    const int8_t *weights;
    const int32_t *bias; /* (out_channels): bias - input_zero_point * sum of the channel's weights, modulo 2**32 */
    const int32_t *multiplier; /* (out_channels), see esv_requantize.h */
    const int8_t *shift;       /* (out_channels) */
} esv_depthwise_params;

/* rows: (kernel_height) pointers to (in_width, in_channels); out: (out_width, in_channels * depth_multiplier), apart
 * from the rows; scratch: esv_depthwise_scratch_bytes(params), a multiple of 8 as address. */
void esv_depthwise_s8(const esv_depthwise_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

size_t esv_depthwise_scratch_bytes(const esv_depthwise_params *params);

#ifdef __cplusplus
}
#endif

#endif /* ESV_DEPTHWISE_H */
