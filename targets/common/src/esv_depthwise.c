#include "esv_depthwise.h"

#include "esv_requantize.h"

static int32_t esv_depthwise_sum(const esv_depthwise_params *params, const int8_t *const rows[], int32_t first,
                                 uint32_t channel)
{
    const uint32_t in_channel = channel / params->depth_multiplier;
    const uint32_t out_channels = (uint32_t)params->in_channels * params->depth_multiplier;
    const int8_t *weight = params->weights + channel;
    uint32_t sum = (uint32_t)params->bias[channel]; /* wraps around like the accumulator of every level */
    for (uint32_t ky = 0; ky < params->kernel_height; ++ky) {
        int32_t x = first;
        for (uint32_t kx = 0; kx < params->kernel_width; ++kx) {
            const int32_t value = x < 0 || x >= params->in_width
                                      ? params->input_zero_point
                                      : rows[ky][(uint32_t)x * params->in_channels + in_channel];
            sum += (uint32_t)(value * *weight);
            weight += out_channels;
            x += params->dilation_width;
        }
    }
    return (int32_t)sum;
}

void esv_depthwise_s8(const esv_depthwise_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    (void)scratch;
    const uint32_t out_channels = (uint32_t)params->in_channels * params->depth_multiplier;
    for (uint32_t x = 0; x < params->out_width; ++x) {
        const int32_t first = (int32_t)(x * params->stride_width) - params->pad_left;
        for (uint32_t c = 0; c < out_channels; ++c) {
            *out++ =
                esv_requantize_to_s8(esv_depthwise_sum(params, rows, first, c), params->multiplier[c], params->shift[c],
                                     params->output_zero_point, params->activation_min, params->activation_max);
        }
    }
}
