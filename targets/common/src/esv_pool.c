#include "esv_pool.h"

#include <string.h>

#include "esv_clamp.h"
#include "esv_saturate.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* out[i] = max(a[i], b[i]); out may be a. */
static void take_larger(const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    for (; count >= 16; count -= 16, a += 16, b += 16, out += 16) {
        vstrbq_s8(out, vmaxq_s8(vldrbq_s8(a), vldrbq_s8(b)));
    }
    for (; count > 0; --count, ++a, ++b, ++out) {
        *out = *a > *b ? *a : *b;
    }
}
#else
/* The larger of four pairs of int8 values. */
static inline uint32_t larger_four(uint32_t a, uint32_t b)
{
#if defined(__ARM_FEATURE_SIMD32)
    uint32_t out;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    return out;
#else
    /* Signed bytes become unsigned ones by turning their highest bits; then the borrow of a - b tells a < b. */
    const uint32_t high = 0x80808080U, x = a ^ high, y = b ^ high;
    const uint32_t low_borrow = (x | high) - (y & ~high);
    const uint32_t not_less = ((x & ~y) | (~(x ^ y) & low_borrow)) & high;
    const uint32_t mask = (not_less - (not_less >> 7)) | not_less;
    return (a & mask) | (b & ~mask);
#endif
}

/* out[i] = max(a[i], b[i]); out may be a. */
static void take_larger(const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    for (; count >= 4; count -= 4, a += 4, b += 4, out += 4) {
        uint32_t x, y;
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);
        x = larger_four(x, y);
        memcpy(out, &x, 4);
    }
    for (; count > 0; --count, ++a, ++b, ++out) {
        *out = *a > *b ? *a : *b;
    }
}
#endif

/* The columns of the input that a window covers. */
typedef struct {
    int32_t first;
    int32_t end;
} columns;

static columns window_at(const esv_pool_params *p, int32_t column)
{
    const int32_t first = column * p->stride_width - p->pad_left;
    const int32_t end = first + p->kernel_width;
    const columns window = {first < 0 ? 0 : first, end > p->in_width ? p->in_width : end};
    return window;
}

/* The largest values of each channel over a window: the first two taps make the output, the others are joined to it. */
static void max_of_window(const esv_pool_params *p, const int8_t *const rows[], columns window, int8_t *out)
{
    const size_t channels = (size_t)p->channels;
    const int8_t *so_far = NULL;
    for (int32_t tap = 0; tap < p->kernel_height; ++tap) {
        for (int32_t i = window.first; rows[tap] != NULL && i < window.end; ++i) {
            const int8_t *in = rows[tap] + (size_t)i * channels;
            if (so_far == NULL) {
                so_far = in;
            } else {
                take_larger(so_far, in, out, channels);
                so_far = out;
            }
        }
    }
    if (so_far != NULL && so_far != out) {
        take_larger(so_far, so_far, out, channels);
    }
}

void esv_pool_max_s8(const esv_pool_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const esv_pool_params *p = params;
    const size_t channels = (size_t)p->channels;
    (void)scratch;
    for (int32_t column = 0; column < p->out_width; ++column) {
        max_of_window(p, rows, window_at(p, column), out + (size_t)column * channels);
    }
    esv_clamp_s8(out, (size_t)p->out_width * channels, p->out_min, p->out_max);
}

/* The mean of one channel over a window, rounded to nearest, halves away from zero. */
static int32_t mean_of_channel(const esv_pool_params *p, const int8_t *const rows[], columns window, int32_t channel)
{
    int32_t sum = 0, count = 0;
    for (int32_t tap = 0; tap < p->kernel_height; ++tap) {
        if (rows[tap] == NULL) {
            continue;
        }
        for (int32_t i = window.first; i < window.end; ++i) {
            sum += rows[tap][i * p->channels + channel];
        }
        count += window.end - window.first;
    }
    if (count == 0) {
        return 0; /* no value lies under the window: not a pooling of TensorFlow Lite's */
    }
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

void esv_pool_average_s8(const esv_pool_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const esv_pool_params *p = params;
    (void)scratch;
    for (int32_t column = 0; column < p->out_width; ++column) {
        const columns window = window_at(p, column);
        for (int32_t channel = 0; channel < p->channels; ++channel) {
            const int32_t mean = mean_of_channel(p, rows, window, channel);
            *out++ = (int8_t)esv_clamp(mean, p->out_min, p->out_max);
        }
    }
}
