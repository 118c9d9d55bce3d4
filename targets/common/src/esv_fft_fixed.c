#include "esv_fft.h"

#if ESV_FEATURES_FIXED

#include <stddef.h>

#include "esv_integer.h"

/* No sum below leaves 32 bits: edge_sv/device/tables.py chooses window_shift so, and says why. */

typedef struct {
    int16_t re, im; /* Q15 */
} esv_fft_turn;

static esv_fft_complex esv_fft_add(esv_fft_complex a, esv_fft_complex b)
{
    const esv_fft_complex sum = {a.re + b.re, a.im + b.im};
    return sum;
}

static esv_fft_complex esv_fft_sub(esv_fft_complex a, esv_fft_complex b)
{
    const esv_fft_complex difference = {a.re - b.re, a.im - b.im};
    return difference;
}

/* Returns half of the product. */
static esv_fft_complex esv_fft_half_mul(esv_fft_complex a, esv_fft_turn w)
{
    const esv_fft_complex product = {esv_integer_mul_q16(a.re, w.re) - esv_integer_mul_q16(a.im, w.im),
                                     esv_integer_mul_q16(a.re, w.im) + esv_integer_mul_q16(a.im, w.re)};
    return product;
}

static esv_fft_complex esv_fft_mul(esv_fft_complex a, esv_fft_turn w)
{
    const esv_fft_complex half = esv_fft_half_mul(a, w);
    const esv_fft_complex product = {2 * half.re, 2 * half.im};
    return product;
}

/* exp(-2 pi i k / size), 0 < k < 3/4 size. */
static esv_fft_turn esv_fft_twiddle(const esv_fft_tables *tables, size_t k)
{
    const esv_fft_turn twiddle = {tables->cosines[k], tables->cosines[k + tables->size / 4u]};
    return twiddle;
}

static int32_t esv_fft_weighted(const esv_fft_tables *tables, const int16_t *samples, size_t i)
{
    return (samples[i] * (int32_t)tables->window[i]) >> tables->window_shift;
}

/* Complex point n of the windowed samples, zero behind the window. */
static esv_fft_complex esv_fft_windowed(const esv_fft_tables *tables, const int16_t *samples, size_t n)
{
    const size_t length = tables->window_length;
    esv_fft_complex point = {0, 0};
    if (2 * n + 1 < length) {
        point.re = esv_fft_weighted(tables, samples, 2 * n);
        point.im = esv_fft_weighted(tables, samples, 2 * n + 1);
    } else if (2 * n < length) {
        point.re = esv_fft_weighted(tables, samples, 2 * n);
    }
    return point;
}

/* Combines four transforms of length m, whose points at one frequency are a, t1, t2, t3 (already turned). */
static void esv_fft_butterfly(esv_fft_bin *at, size_t m, esv_fft_complex a, esv_fft_complex t1, esv_fft_complex t2,
                              esv_fft_complex t3)
{
    const esv_fft_complex even = esv_fft_add(a, t2);
    const esv_fft_complex odd = esv_fft_sub(a, t2);
    const esv_fft_complex sum = esv_fft_add(t1, t3);
    const esv_fft_complex turned = esv_fft_sub(t1, t3); /* times -i below */
    at[0].value = esv_fft_add(even, sum);
    at[m].value.re = odd.re + turned.im;
    at[m].value.im = odd.im - turned.re;
    at[2 * m].value = esv_fft_sub(even, sum);
    at[3 * m].value.re = odd.re - turned.im;
    at[3 * m].value.im = odd.im + turned.re;
}

/* The first step, radix 2 or 4, straight from the samples. Returns its radix. */
static size_t esv_fft_first(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    const size_t points = tables->size / 2u;
    const size_t radix = (points & 0x5555u) != 0 ? 4 : 2; /* 4 where points is a power of four */
    const size_t groups = points / radix;
    for (size_t n = 0; n < groups; ++n) {
        esv_fft_bin *at = &bins[tables->order[n]];
        const esv_fft_complex a = esv_fft_windowed(tables, samples, n);
        const esv_fft_complex b = esv_fft_windowed(tables, samples, n + groups);
        if (radix == 2) {
            at[0].value = esv_fft_add(a, b);
            at[1].value = esv_fft_sub(a, b);
        } else {
            const esv_fft_complex c = esv_fft_windowed(tables, samples, n + 2 * groups);
            const esv_fft_complex d = esv_fft_windowed(tables, samples, n + 3 * groups);
            esv_fft_butterfly(at, 1, a, b, c, d);
        }
    }
    return radix;
}

/* Turns transforms of length m into transforms of length 4 m. */
static void esv_fft_step(const esv_fft_tables *tables, esv_fft_bin *bins, size_t m)
{
    const size_t points = tables->size / 2u;
    const size_t turn = tables->size / (4 * m);
    for (size_t p = 0; p < points; p += 4 * m) {
        esv_fft_bin *at = &bins[p];
        esv_fft_butterfly(at, m, at[0].value, at[m].value, at[2 * m].value, at[3 * m].value);
    }
    for (size_t j = 1; j < m; ++j) {
        const esv_fft_turn w1 = esv_fft_twiddle(tables, j * turn);
        const esv_fft_turn w2 = esv_fft_twiddle(tables, 2 * j * turn);
        const esv_fft_turn w3 = esv_fft_twiddle(tables, 3 * j * turn);
        for (size_t p = j; p < points; p += 4 * m) {
            esv_fft_bin *at = &bins[p];
            esv_fft_butterfly(at, m, at[0].value, esv_fft_mul(at[m].value, w1), esv_fft_mul(at[2 * m].value, w2),
                              esv_fft_mul(at[3 * m].value, w3));
        }
    }
}

static uint64_t esv_fft_square(const esv_fft_tables *tables, esv_fft_complex a)
{
    return (esv_integer_square(a.re) + esv_integer_square(a.im)) >> tables->power_shift;
}

/* Separates the transforms of even and odd samples, joins them to the real transform, squares. Sums are twice what
 * they should be: one is halved, the other takes half of the product. */
static void esv_fft_separate(const esv_fft_tables *tables, esv_fft_bin *bins)
{
    const size_t points = tables->size / 2u;
    for (size_t k = 1; k < points / 2; ++k) {
        const esv_fft_complex a = bins[k].value;
        const esv_fft_complex b = bins[points - k].value;
        const esv_fft_complex even = {(a.re + b.re) >> 1, (a.im - b.im) >> 1};
        const esv_fft_complex odd = {a.im + b.im, b.re - a.re};
        const esv_fft_complex turned = esv_fft_half_mul(odd, esv_fft_twiddle(tables, k));
        bins[k].power = esv_fft_square(tables, esv_fft_add(even, turned));
        bins[points - k].power = esv_fft_square(tables, esv_fft_sub(even, turned));
    }
    const esv_fft_complex middle = bins[points / 2].value;
    bins[points / 2].power = esv_fft_square(tables, middle);
}

void esv_fft_power_spectrum(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins)
{
    for (size_t m = esv_fft_first(tables, samples, bins); m < tables->size / 2u; m *= 4) {
        esv_fft_step(tables, bins, m);
    }
    esv_fft_separate(tables, bins);
}

#endif
