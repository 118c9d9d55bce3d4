#include "esv_float.h"

#include "esv_features.h"

#if !ESV_FEATURES_FIXED

#include <string.h>

/* Natural logarithm of a normal positive number, to 1e-5: exponent * ln 2 + a polynomial of the mantissa. */
static float esv_features_log(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t exponent = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    float mantissa;
    memcpy(&mantissa, &bits, sizeof mantissa);
    const float f = mantissa - 1.0f;
    float p = 0x1.07636p-5f;
    p = p * f - 0x1.169e1ap-3f;
    p = p * f + 0x1.2866fap-2f;
    p = p * f - 0x1.f7b4d6p-2f;
    p = p * f + 0x1.ffbdbap-1f;
    return (float)exponent * 0x1.62e43p-1f + p * f;
}

/* Rounds half away from zero and clips. */
static int8_t esv_features_quantize(const esv_features_config *config, float value)
{
    const float steps = value * config->inverse_scale;
    const float rounded = steps < 0.0f ? steps - 0.5f : steps + 0.5f; /* truncated by the conversion */
    if (!(rounded > (float)(config->low - config->zero_point))) {
        return config->low;
    }
    if (rounded >= (float)(config->high - config->zero_point)) {
        return config->high;
    }
    return (int8_t)((int32_t)rounded + config->zero_point);
}

void esv_features_compute(esv_features *self, int8_t *frame)
{
    const esv_features_config *config = self->config;
    esv_fft_power_spectrum(&config->fft, self->samples, self->bins);
    if (self->counted < config->horizon_frames) {
        ++self->counted;
    }
    const float share = self->counted > 0 ? 1.0f / (float)self->counted : 0.0f;
    const esv_fft_bin *bin = &self->bins[config->first_bin];
    const float *weight = config->rising;
    float risen = 0.0f; /* the rising side of the band whose falling side comes next */
    for (size_t segment = 0; segment <= config->num_mels; ++segment) {
        float total = 0.0f;
        float rising = 0.0f;
        for (size_t n = config->segment_bins[segment]; n > 0; --n) {
            const float power = (bin++)->power;
            total += power;
            rising += power * *weight++;
        }
        const float mel = risen + (total - rising);
        risen = rising;
        if (segment > 0) {
            float *mean = &self->mean[segment - 1];
            const float level = esv_features_log(mel > config->floor ? mel : config->floor);
            *mean += (level - *mean) * share;
            *frame++ = esv_features_quantize(config, level - *mean);
        }
    }
}

#endif
