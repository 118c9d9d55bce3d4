#include "esv_float.h"

#include "esv_features.h"

#if !ESV_FEATURES_FIXED

#include <string.h>

/* Natural logarithm of the positive normal number with these bits, to 7e-5: exponent * ln 2 + a polynomial of the
 * mantissa. */
static inline float esv_features_log(int32_t bits)
{
    const int32_t exponent = (bits >> 23) - 127;
    const int32_t mantissa_bits = (bits & 0x7fffff) | 0x3f800000;
    float mantissa;
    memcpy(&mantissa, &mantissa_bits, sizeof mantissa);
    const float f = mantissa - 1.0f;
    float p = -0.0587571971f;
    p = p * f + 0.22568582f;
    p = p * f - 0.471301347f;
    p = p * f + 0.997448981f;
    return (float)exponent * 0.693147182f + p * f;
}

static inline int32_t esv_features_bits(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Rounds half away from zero and clips. Steps fit into an integer: esv_features_init bounds the scale. */
static inline int8_t esv_features_quantize(float steps, int32_t zero_point, int32_t low, int32_t high)
{
    const int32_t quantized = (int32_t)(steps < 0.0f ? steps - 0.5f : steps + 0.5f) + zero_point;
    return (int8_t)(quantized < low ? low : quantized > high ? high : quantized);
}

/* Takes a mel power, updates its band's mean, returns the level above it. */
static inline float esv_features_level(float mel, int32_t floor_bits, float share, float *mean)
{
    const int32_t bits = esv_features_bits(mel); /* ordered as the numbers are, where they are positive */
    const float level = esv_features_log(bits > floor_bits ? bits : floor_bits);
    const float now = *mean + (level - *mean) * share;
    *mean = now;
    return level - now;
}

void esv_features_compute(esv_features *self, int8_t *frame)
{
    const esv_features_config config = *self->config; /* a copy: the frame's bytes might be anyone's */
    (void)esv_fft_power_spectrum(&self->config->fft, self->samples, self->bins);
    if (self->counted < config.horizon_frames) {
        ++self->counted;
    }
    const float share = self->counted > 0 ? 1.0f / (float)self->counted : 0.0f;
    const int32_t floor_bits = esv_features_bits(config.floor);
    const esv_fft_bin *bin = &self->bins[config.first_bin];
    const float *weight = config.rising;
    float *mean = self->mean;
    float risen = 0.0f; /* the rising side of the band whose falling side comes next */
    for (size_t segment = 0; segment <= config.num_mels; ++segment) {
        float total = 0.0f;
        float rising = 0.0f;
        for (const esv_fft_bin *end = bin + config.segment_bins[segment]; bin < end; ++bin) {
            total += bin->power;
            rising += bin->power * *weight++;
        }
        if (segment > 0) {
            const float level = esv_features_level(risen + (total - rising), floor_bits, share, mean++);
            *frame++ = esv_features_quantize(level * config.inverse_scale, config.zero_point, config.low, config.high);
        }
        risen = rising;
    }
}

#endif
