/* The power spectrum of a window of samples: window, real FFT, squared magnitudes, all in one buffer.
 *
 * The FFT of `size` real samples runs as one complex FFT of size / 2 points (even samples are real parts, odd samples
 * imaginary ones), radix 4 with a first step of radix 2 where size / 2 is no power of four, decimation in time. A last
 * step separates the two halves and squares.
 *
 * Two paths with the same functions, chosen when the code is compiled: float32 where the core computes with it, 32-bit
 * integers elsewhere. Either gives the same bits on every core and as its twin in edge_sv/device/. */
#ifndef ESV_FFT_H
#define ESV_FFT_H

#include <stddef.h>
#include <stdint.h>

/* 1: integers, 0: float32. Cores without a floating-point unit take integers unless told otherwise. */
#ifndef ESV_FEATURES_FIXED
#if (defined(__arm__) && !defined(__ARM_FP)) || (defined(__riscv) && !defined(__riscv_flen))
#define ESV_FEATURES_FIXED 1
#else
#define ESV_FEATURES_FIXED 0
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if ESV_FEATURES_FIXED
typedef int32_t esv_fft_value;
typedef uint64_t esv_fft_power;
typedef int32_t esv_fft_weight; /* Q31 */
typedef int32_t esv_fft_cosine; /* Q31 */
#else
typedef float esv_fft_value;
typedef float esv_fft_power;
typedef float esv_fft_weight;
typedef float esv_fft_cosine;
#endif

typedef struct {
    esv_fft_value re, im;
} esv_fft_complex;

/* exp(-2 pi i a) for some angle a. */
typedef struct {
    esv_fft_cosine re, im;
} esv_fft_turn;

/* A place of the buffer: a complex value first, in the end the power of the bin. */
typedef union {
    esv_fft_complex value;
    esv_fft_power power;
} esv_fft_bin;

/* Constant tables, made by edge_sv/device/tables.py. Samples from window_length to size count as zeros. */
typedef struct {
    uint16_t size;          /* points: a power of two, 16 to 4096 */
    uint16_t window_length; /* samples, at most size */
    uint8_t window_shift;   /* integers: samples become Q(15 - window_shift), so that no sum leaves 32 bits */
    uint8_t power_shift;    /* integers: powers lose these low bits, so that no band's sum leaves 64 bits */
    const esv_fft_weight
        *window; /* (window_length, rounded up to even by a 0); float32: times the scale of samples, / 2 */
    const esv_fft_turn (*turns)[3]; /* (size / 8 - 1, 3) j, 2 j, 3 j (size / 2)-ths, j from 1 */
    const esv_fft_turn *joins;      /* (size / 4 - 1) k size-ths, k from 1 */
    const uint16_t *order;          /* (size / 8, or size / 4) where the first step writes each of its groups */
} esv_fft_tables;

/* Writes the powers of bins 1 to size / 2 - 1; bin 0 is left undefined. Returns how often the samples were doubled
 * before: integers lose less of a quiet recording so, and its powers are 4 times as large for each. samples:
 * (window_length, rounded up to even); bins: (size / 2). */
int esv_fft_power_spectrum(const esv_fft_tables *tables, const int16_t *samples, esv_fft_bin *bins);

#ifdef __cplusplus
}
#endif

#endif /* ESV_FFT_H */
