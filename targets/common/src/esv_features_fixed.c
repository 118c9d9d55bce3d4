#include "esv_features.h"

#if ESV_FEATURES_FIXED

#include "esv_integer.h"

#define ESV_FEATURES_LN_2_Q24 11629080

/* Natural logarithm of x > 0, Q24, to 1e-4: exponent * ln 2 + a polynomial of the mantissa f, in powers of f / 2. */
static int32_t esv_features_log_q24(uint64_t x)
{
    const int zeros = esv_integer_leading_zeros(x);
    const int16_t f_q15 = (int16_t)(((x << zeros) >> 48) & 0x7fff);
    int32_t p_q24 = -15772515;
    p_q24 = esv_integer_mul_q16(p_q24, f_q15) + 30291038;
    p_q24 = esv_integer_mul_q16(p_q24, f_q15) - 31628499;
    p_q24 = esv_integer_mul_q16(p_q24, f_q15) + 33468834;
    return (63 - zeros) * ESV_FEATURES_LN_2_Q24 + esv_integer_mul_q16(p_q24, f_q15);
}

/* Rounds half away from zero and clips. */
static int8_t esv_features_quantize(const esv_features_config *config, int32_t value_q24)
{
    const int32_t steps_q16 = (int32_t)(((int64_t)value_q24 * config->inverse_scale) >> 24);
    const int32_t rounded = steps_q16 < 0 ? -((32768 - steps_q16) >> 16) : (steps_q16 + 32768) >> 16;
    const int32_t quantized = rounded + config->zero_point;
    return (int8_t)(quantized < config->low ? config->low : quantized > config->high ? config->high : quantized);
}

void esv_features_compute(esv_features *self, int8_t *frame)
{
    const esv_features_config *config = self->config;
    esv_fft_power_spectrum(&config->fft, self->samples, self->bins);
    if (self->counted < config->horizon_frames) {
        ++self->counted;
    }
    const int32_t share_q30 = self->counted > 0 ? (int32_t)((1u << 30) / self->counted) : 0;
    const esv_fft_bin *bin = &self->bins[config->first_bin];
    const int16_t *weight_q15 = config->rising;
    uint64_t risen = 0; /* the rising side of the band whose falling side comes next */
    for (size_t segment = 0; segment <= config->num_mels; ++segment) {
        uint64_t total = 0;
        uint64_t rising = 0;
        for (size_t n = config->segment_bins[segment]; n > 0; --n) {
            const uint64_t power = (bin++)->power;
            total += power;
            rising += power * (uint16_t)*weight_q15++;
        }
        const uint64_t mel = risen + ((total << 15) - rising);
        risen = rising;
        if (segment > 0) {
            int32_t *mean = &self->mean[segment - 1]; /* Q24 */
            const uint64_t heard = mel > config->floor ? mel : config->floor;
            const int32_t level_q24 = esv_features_log_q24(heard) + config->log_offset;
            *mean += (int32_t)(((int64_t)(level_q24 - *mean) * share_q30) >> 30);
            *frame++ = esv_features_quantize(config, level_q24 - *mean);
        }
    }
}

#endif
