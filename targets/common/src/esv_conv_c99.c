/* The convolution's inner loops in portable C99: two pixels share the weights that are loaded. */
#include "esv_conv_tile.h"

#ifdef ESV_LEVEL_C99

#include "esv_conv_weights.h"

/* count: a multiple of 4. */
static int32_t esv_conv_dot(const int8_t *window, const int8_t *weights, uint32_t count, int32_t start)
{
    uint32_t sum = (uint32_t)start; /* wraps around like the accumulators of every level */
    for (uint32_t i = 0; i < count; i += 4) {
        sum += (uint32_t)(window[i] * weights[i]) + (uint32_t)(window[i + 1] * weights[i + 1]);
        sum += (uint32_t)(window[i + 2] * weights[i + 2]) + (uint32_t)(window[i + 3] * weights[i + 3]);
    }
    return (int32_t)sum;
}

/* Two windows with the same weights; sums begin as they are. count: a multiple of 4. */
static void esv_conv_dot_two(const int8_t *a, const int8_t *b, const int8_t *weights, uint32_t count, int32_t sums[2])
{
    uint32_t sum_a = (uint32_t)sums[0];
    uint32_t sum_b = (uint32_t)sums[1];
    for (const int8_t *end = weights + count; weights < end; a += 4, b += 4, weights += 4) {
        sum_a += (uint32_t)(a[0] * weights[0]) + (uint32_t)(a[1] * weights[1]);
        sum_b += (uint32_t)(b[0] * weights[0]) + (uint32_t)(b[1] * weights[1]);
        sum_a += (uint32_t)(a[2] * weights[2]) + (uint32_t)(a[3] * weights[3]);
        sum_b += (uint32_t)(b[2] * weights[2]) + (uint32_t)(b[3] * weights[3]);
    }
    sums[0] = (int32_t)sum_a;
    sums[1] = (int32_t)sum_b;
}

/* One channel of all pixels of a run. */
static void esv_conv_sum_run(const esv_conv_params *params, const esv_conv_tile *tile, uint32_t channel,
                             const int8_t *weights, const int8_t *windows, uint32_t count, int8_t *out)
{
    const int32_t bias = params->bias[channel];
    const uint32_t out_step = tile->phases * params->out_channels;
    uint32_t i = 0;
    for (; i + 1u < count; i += 2) {
        const int8_t *window = windows + i * tile->window_step;
        int32_t sums[2] = {bias, bias};
        esv_conv_dot_two(window, window + tile->window_step, weights, tile->window, sums);
        out[i * out_step] = esv_conv_requantize(params, channel, sums[0]);
        out[(i + 1u) * out_step] = esv_conv_requantize(params, channel, sums[1]);
    }
    if (i < count) {
        const int32_t sum = esv_conv_dot(windows + i * tile->window_step, weights, tile->window, bias);
        out[i * out_step] = esv_conv_requantize(params, channel, sum);
    }
}

void esv_conv_compute(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *columns, int8_t *out,
                      void *scratch)
{
    int8_t *room = (int8_t *)scratch + 2u * tile->columns_bytes;
    for (uint32_t c = 0; c < params->out_channels; ++c) {
        const int8_t *weights = esv_conv_weights_decode(params, c, tile->window, room);
        for (uint32_t phase = 0; phase < tile->phases; ++phase) {
            const esv_conv_run run = esv_conv_find_run(params, tile, phase);
            esv_conv_sum_run(params, tile, c, weights, columns + run.window, run.count,
                             out + phase * params->out_channels + c);
        }
    }
}

#endif
