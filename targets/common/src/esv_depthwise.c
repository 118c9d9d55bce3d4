#include "esv_depthwise.h"

#include <string.h>

#include "esv_depthwise_group.h"
#include "esv_requantize.h"

/* Notes for each output pixel which input pixels lie under the kernel; `outside` stands for those beside the row. */
static void esv_depthwise_find_taps(const esv_depthwise_params *params, const int8_t *const rows[], uint32_t first,
                                    uint32_t count, const int8_t *outside, const int8_t **taps)
{
    for (uint32_t i = first; i < first + count; ++i) {
        const int32_t left = (int32_t)(i * params->stride_width) - params->pad_left;
        for (uint32_t ky = 0; ky < params->kernel_height; ++ky) {
            int32_t x = left;
            for (uint32_t kx = 0; kx < params->kernel_width; ++kx, x += params->dilation_width) {
                *taps++ = x < 0 || x >= params->in_width ? outside : rows[ky] + (uint32_t)x * params->in_channels;
            }
        }
    }
}

/* sum: without the bias. */
static int8_t esv_depthwise_requantize(const esv_depthwise_params *params, uint32_t channel, uint32_t sum)
{
    /* Wraps around like the accumulator of every level. */
    const int32_t with_bias = (int32_t)(sum + (uint32_t)params->bias[channel]);
    return esv_requantize_to_s8(with_bias, params->multiplier[channel], params->shift[channel],
                                params->output_zero_point, params->activation_min, params->activation_max);
}

static void esv_depthwise_any(const esv_depthwise_params *params, const esv_depthwise_group *group)
{
    for (uint32_t lane = 0; lane < group->lanes; ++lane) {
        const uint32_t c = group->channel + lane;
        const uint32_t in_channel = c / params->depth_multiplier;
        const int8_t *const *taps = group->taps;
        int8_t *out = group->out + lane;
        for (uint32_t i = 0; i < group->num_pixels; ++i, out += group->out_step) {
            const int8_t *weight = group->weights + lane;
            int32_t sum = 0;
            for (uint32_t tap = 0; tap < group->num_taps; ++tap, weight += 4) {
                sum += (*taps++)[in_channel] * *weight;
            }
            *out = esv_depthwise_requantize(params, c, (uint32_t)sum);
        }
    }
}

size_t esv_depthwise_scratch_bytes(const esv_depthwise_params *params)
{
    const size_t taps = (size_t)params->kernel_height * params->kernel_width;
    return taps * 8u + params->tile_width * taps * ESV_DEPTHWISE_POINTER_BYTES + (params->in_channels + 7u) / 8u * 8u;
}

void esv_depthwise_s8(const esv_depthwise_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const uint32_t num_taps = (uint32_t)params->kernel_height * params->kernel_width;
    const uint32_t channels = (uint32_t)params->in_channels * params->depth_multiplier;
    const int8_t **taps = (const int8_t **)(void *)((uint8_t *)scratch + num_taps * 8u);
    int8_t *outside = (int8_t *)taps + params->tile_width * num_taps * ESV_DEPTHWISE_POINTER_BYTES;
    memset(outside, params->input_zero_point, params->in_channels);
    esv_depthwise_group group;
    group.taps = (const int8_t *const *)taps;
    group.num_taps = num_taps;
    group.out_step = channels;
    for (uint32_t first = 0; first < params->out_width; first += params->tile_width) {
        const uint32_t left = params->out_width - first;
        group.num_pixels = left < params->tile_width ? left : params->tile_width;
        esv_depthwise_find_taps(params, rows, first, group.num_pixels, outside, taps);
        for (uint32_t c = 0; c < channels; c += 4) {
            group.channel = c;
            group.lanes = channels - c < 4u ? channels - c : 4u;
            group.weights = params->weights + c * num_taps;
            group.out = out + c;
            if (params->depth_multiplier != 1 || group.lanes != 4 || !esv_depthwise_four(params, &group, scratch)) {
                esv_depthwise_any(params, &group);
            }
        }
        out += group.num_pixels * channels;
    }
}

#ifdef ESV_LEVEL_C99

int esv_depthwise_four(const esv_depthwise_params *params, const esv_depthwise_group *group, void *room)
{
    (void)room;
    const uint32_t c = group->channel;
    const int8_t *const *taps = group->taps;
    int8_t *out = group->out;
    for (uint32_t i = 0; i < group->num_pixels; ++i, out += group->out_step) {
        const int8_t *weights = group->weights;
        int32_t sums[4] = {0, 0, 0, 0};
        for (uint32_t tap = 0; tap < group->num_taps; ++tap, weights += 4) {
            const int8_t *in = *taps++ + c;
            sums[0] += in[0] * weights[0];
            sums[1] += in[1] * weights[1];
            sums[2] += in[2] * weights[2];
            sums[3] += in[3] * weights[3];
        }
        for (uint32_t lane = 0; lane < 4; ++lane) {
            out[lane] = esv_depthwise_requantize(params, c + lane, (uint32_t)sums[lane]);
        }
    }
    return 1;
}

#endif
