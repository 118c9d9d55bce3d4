#include "esv_float.h"

#include "esv_fft.h"

#if !ESV_FEATURES_FIXED

static inline float esv_fft_weighted(const esv_fft_tables *tables, const int16_t *samples, size_t i)
{
    return (float)samples[i] * tables->window[i];
}

static inline esv_fft_complex esv_fft_mul(esv_fft_complex a, esv_fft_turn w)
{
    const esv_fft_complex product = {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
    return product;
}

#include "esv_fft_steps.h"

static inline float esv_fft_square(esv_fft_complex a) { return a.re * a.re + a.im * a.im; }

/* Separates the transforms of even and odd samples, joins them to the real transform, squares. The window's factor 1/2
 * makes up for sums where means belong. */
int esv_fft_power_spectrum(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    esv_fft_half_length(tables, samples, bins);
    const size_t points = tables->size / 2u;
    for (size_t k = 1; k < points / 2; ++k) {
        const esv_fft_complex a = bins[k].value;
        const esv_fft_complex b = bins[points - k].value;
        const esv_fft_complex even = {a.re + b.re, a.im - b.im};
        const esv_fft_complex odd = {a.im + b.im, b.re - a.re};
        const esv_fft_complex turned = esv_fft_mul(odd, tables->joins[k - 1]);
        bins[k].power = esv_fft_square(esv_fft_add(even, turned));
        bins[points - k].power = esv_fft_square(esv_fft_sub(even, turned));
    }
    const esv_fft_complex middle = bins[points / 2].value;
    bins[points / 2].power = 4.0f * esv_fft_square(middle);
    return 0;
}

#endif
