/* The steps of the FFT that both paths share. A path defines, before it includes this,
 *
 *     esv_fft_value esv_fft_weighted(tables, samples, i)                 a sample behind the window
 *     esv_fft_complex esv_fft_mul(esv_fft_complex a, esv_fft_turn w)     the product, in its arithmetic */
#ifndef ESV_FFT_STEPS_H
#define ESV_FFT_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "esv_fft.h"

static inline esv_fft_complex esv_fft_add(esv_fft_complex a, esv_fft_complex b)
{
    const esv_fft_complex sum = {a.re + b.re, a.im + b.im};
    return sum;
}

static inline esv_fft_complex esv_fft_sub(esv_fft_complex a, esv_fft_complex b)
{
    const esv_fft_complex difference = {a.re - b.re, a.im - b.im};
    return difference;
}

/* Complex point n of the windowed samples, zero behind the window. */
static inline esv_fft_complex esv_fft_windowed(const esv_fft_tables *tables, const int16_t *samples, size_t n)
{
    esv_fft_complex point = {0, 0};
    if (2 * n < tables->window_length) {
        point.re = esv_fft_weighted(tables, samples, 2 * n);
        point.im = esv_fft_weighted(tables, samples, 2 * n + 1);
    }
    return point;
}

/* Combines four transforms of length m at one frequency; their points there are a, b, c, d, already turned. */
static inline void esv_fft_butterfly(esv_fft_bin *at, size_t m, esv_fft_complex a, esv_fft_complex b, esv_fft_complex c,
                                     esv_fft_complex d)
{
    const esv_fft_complex even = esv_fft_add(a, c);
    const esv_fft_complex odd = esv_fft_sub(a, c);
    const esv_fft_complex sum = esv_fft_add(b, d);
    const esv_fft_complex turned = esv_fft_sub(b, d); /* times -i below */
    at[0].value = esv_fft_add(even, sum);
    at[m].value.re = odd.re + turned.im;
    at[m].value.im = odd.im - turned.re;
    at[2 * m].value = esv_fft_sub(even, sum);
    at[3 * m].value.re = odd.re - turned.im;
    at[3 * m].value.im = odd.im + turned.re;
}

/* The first step, radix 4, straight from the samples. */
static inline void esv_fft_first_of_four(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    const size_t groups = tables->size / 8u;
    for (size_t n = 0; n < groups; ++n) {
        esv_fft_butterfly(&bins[tables->order[n]], 1, esv_fft_windowed(tables, samples, n),
                          esv_fft_windowed(tables, samples, n + groups),
                          esv_fft_windowed(tables, samples, n + 2 * groups),
                          esv_fft_windowed(tables, samples, n + 3 * groups));
    }
}

/* The same, radix 2. */
static inline void esv_fft_first_of_two(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    const size_t groups = tables->size / 4u;
    for (size_t n = 0; n < groups; ++n) {
        const esv_fft_complex a = esv_fft_windowed(tables, samples, n);
        const esv_fft_complex b = esv_fft_windowed(tables, samples, n + groups);
        bins[tables->order[n]].value = esv_fft_add(a, b);
        bins[tables->order[n] + 1u].value = esv_fft_sub(a, b);
    }
}

/* Turns transforms of length m into transforms of length 4 m. */
static inline void esv_fft_step(const esv_fft_tables *tables, esv_fft_bin *bins, size_t m)
{
    const esv_fft_bin *end = bins + tables->size / 2u;
    for (esv_fft_bin *at = bins; at < end; at += 4 * m) {
        esv_fft_butterfly(at, m, at[0].value, at[m].value, at[2 * m].value, at[3 * m].value);
    }
    const size_t stride = tables->size / 8u / m;
    const esv_fft_turn(*turns)[3] = tables->turns + stride - 1;
    for (size_t j = 1; j < m; ++j, turns += stride) {
        const esv_fft_turn w1 = (*turns)[0];
        const esv_fft_turn w2 = (*turns)[1];
        const esv_fft_turn w3 = (*turns)[2];
        for (esv_fft_bin *at = bins + j; at < end; at += 4 * m) {
            esv_fft_butterfly(at, m, at[0].value, esv_fft_mul(at[m].value, w1), esv_fft_mul(at[2 * m].value, w2),
                              esv_fft_mul(at[3 * m].value, w3));
        }
    }
}

/* Transforms size / 2 complex points: even samples are real, odd ones imaginary parts. bins: (size / 2). */
static inline void esv_fft_half_length(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    const size_t points = tables->size / 2u;
    const bool of_four = (points & 0x5555u) != 0; /* points is a power of four */
    if (of_four) {
        esv_fft_first_of_four(tables, samples, bins);
    } else {
        esv_fft_first_of_two(tables, samples, bins);
    }
    for (size_t m = of_four ? 4 : 2; m < points; m *= 4) {
        esv_fft_step(tables, bins, m);
    }
}

#endif /* ESV_FFT_STEPS_H */
