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
static inline int8_t esv_features_quantize(int32_t steps_q16, int32_t zero_point, int32_t low, int32_t high)
{
    const int32_t rounded = steps_q16 < 0 ? -((32768 - steps_q16) >> 16) : (steps_q16 + 32768) >> 16;
    const int32_t quantized = rounded + zero_point;
    return (int8_t)(quantized < low ? low : quantized > high ? high : quantized);
}

/* Takes a log-mel value, updates its band's mean, returns the level above it. All Q24. */
static inline int32_t esv_features_level(int32_t value_q24, int32_t share_q30, int32_t *mean_q24)
{
    const int32_t before_q24 = *mean_q24;
    const int32_t now_q24 = before_q24 + (int32_t)(((int64_t)(value_q24 - before_q24) * share_q30) >> 30);
    *mean_q24 = now_q24;
    return value_q24 - now_q24;
}

void esv_features_compute(esv_features *self, int8_t *frame)
{
    const esv_features_config config = *self->config; /* a copy: the frame's bytes might be anyone's */
    const int doublings = esv_fft_power_spectrum(&self->config->fft, self->samples, self->bins);
    const uint64_t floor = config.floor << (2 * doublings);
    const int32_t offset_q24 = config.log_offset - 2 * doublings * ESV_FEATURES_LN_2_Q24;
    if (self->counted < config.horizon_frames) {
        ++self->counted;
    }
    const int32_t share_q30 = self->counted > 0 ? (1 << 30) / self->counted : 0;
    const esv_fft_bin *bin = &self->bins[config.first_bin];
    const int16_t *weight_q15 = config.rising;
    int32_t *mean_q24 = self->mean;
    uint64_t risen = 0; /* the rising side of the band whose falling side comes next */
    for (size_t segment = 0; segment <= config.num_mels; ++segment) {
        uint64_t total = 0;
        uint64_t rising = 0;
        for (const esv_fft_bin *end = bin + config.segment_bins[segment]; bin < end; ++bin) {
            total += bin->power;
            rising += bin->power * (uint16_t)*weight_q15++;
        }
        if (segment > 0) {
            const uint64_t mel = risen + ((total << 15) - rising);
            const int32_t value_q24 = esv_features_log_q24(mel > floor ? mel : floor) + offset_q24;
            const int32_t level_q24 = esv_features_level(value_q24, share_q30, mean_q24++);
            const int32_t steps_q16 = (int32_t)(((int64_t)level_q24 * config.inverse_scale) >> 24);
            *frame++ = esv_features_quantize(steps_q16, config.zero_point, config.low, config.high);
        }
        risen = rising;
    }
}

#endif
