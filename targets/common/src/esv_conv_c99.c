/* The convolution's inner loops in portable C99. */
#include "esv_conv_tile.h"

#ifdef ESV_LEVEL_C99

#include "esv_conv_weights.h"

static int32_t esv_conv_dot(const int8_t *a, const int8_t *b, uint32_t count, int32_t start)
{
    uint32_t sum = (uint32_t)start; /* wraps around like the accumulator of every level */
    for (uint32_t i = 0; i < count; ++i) {
        sum += (uint32_t)(a[i] * b[i]);
    }
    return (int32_t)sum;
}

void esv_conv_compute(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *columns, int8_t *out,
                      void *scratch)
{
    int8_t *room = (int8_t *)scratch + 2u * tile->columns_bytes;
    for (uint32_t c = 0; c < params->out_channels; ++c) {
        const int8_t *weights = esv_conv_weights_decode(params, c, tile->window, room);
        for (uint32_t phase = 0; phase < tile->phases; ++phase) {
            const esv_conv_run run = esv_conv_find_run(params, tile, phase);
            const int8_t *window = columns + run.window;
            int8_t *pixel = out + phase * params->out_channels + c;
            for (uint32_t i = 0; i < run.count; ++i) {
                *pixel = esv_conv_requantize(params, c, esv_conv_dot(window, weights, tile->window, params->bias[c]));
                window += tile->window_step;
                pixel += tile->phases * params->out_channels;
            }
        }
    }
}

#endif
