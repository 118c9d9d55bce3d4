#include "esv_fft.h"

#if ESV_FEATURES_FIXED

#include "esv_integer.h"

/* No sum here leaves 32 bits: edge_sv/device/tables.py chooses window_shift so, and says why. */

static inline int32_t esv_fft_weighted(const esv_fft_tables *tables, const int16_t *samples, size_t i)
{
    return esv_integer_mul_high(samples[i] * (1 << (16 - tables->window_shift)), tables->window[i]);
}

/* Returns half of the product. Two roundings down make up for each other in the difference, and for the 1 in the sum.
 */
static inline esv_fft_complex esv_fft_half_mul(esv_fft_complex a, esv_fft_turn w)
{
    const esv_fft_complex product = {esv_integer_mul_high(a.re, w.re) - esv_integer_mul_high(a.im, w.im),
                                     esv_integer_mul_high(a.re, w.im) + esv_integer_mul_high(a.im, w.re) + 1};
    return product;
}

static inline esv_fft_complex esv_fft_mul(esv_fft_complex a, esv_fft_turn w)
{
    const esv_fft_complex half = esv_fft_half_mul(a, w);
    const esv_fft_complex product = {2 * half.re, 2 * half.im};
    return product;
}

#include "esv_fft_steps.h"

static inline uint64_t esv_fft_square(esv_fft_complex a, uint8_t power_shift)
{
    return (esv_integer_square(a.re) + esv_integer_square(a.im)) >> power_shift;
}

/* Returns how often all samples can be doubled, at most window_shift times. */
static int esv_fft_headroom(const esv_fft_tables *tables, const int16_t *samples)
{
    int32_t used = 0; /* bits */
    for (size_t i = 0; i < tables->window_length; ++i) {
        used |= samples[i] ^ (samples[i] >> 15);
    }
    int doublings = 0;
    while (doublings < tables->window_shift && (used >> (14 - doublings)) == 0) {
        ++doublings;
    }
    return doublings;
}

/* Separates the transforms of even and odd samples, joins them to the real transform, squares. Sums are twice what
 * they should be: one is halved, the other takes half of the product. */
int esv_fft_power_spectrum(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    const int doublings = esv_fft_headroom(tables, samples);
    esv_fft_tables scaled = *tables;
    scaled.window_shift = (uint8_t)(tables->window_shift - doublings);
    esv_fft_half_length(&scaled, samples, bins);
    const size_t points = tables->size / 2u;
    const uint8_t shift = tables->power_shift;
    for (size_t k = 1; k < points / 2; ++k) {
        const esv_fft_complex a = bins[k].value;
        const esv_fft_complex b = bins[points - k].value;
        const esv_fft_complex even = {(a.re + b.re) >> 1, (a.im - b.im) >> 1};
        const esv_fft_complex odd = {a.im + b.im, b.re - a.re};
        const esv_fft_complex turned = esv_fft_half_mul(odd, tables->joins[k - 1]);
        bins[k].power = esv_fft_square(esv_fft_add(even, turned), shift);
        bins[points - k].power = esv_fft_square(esv_fft_sub(even, turned), shift);
    }
    const esv_fft_complex middle = bins[points / 2].value;
    bins[points / 2].power = esv_fft_square(middle, shift);
    return doublings;
}

#endif
