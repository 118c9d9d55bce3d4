#include "esv_pool.h"

#include <string.h>

#include "esv_clamp.h"
#include "esv_saturate.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* out[i] = max(out[i], in[i]). */
static void take_larger(int8_t *out, const int8_t *in, size_t count)
{
    for (; count >= 16; count -= 16, in += 16, out += 16) {
        vstrbq_s8(out, vmaxq_s8(vldrbq_s8(out), vldrbq_s8(in)));
    }
    for (; count > 0; --count, ++in, ++out) {
        *out = *in > *out ? *in : *out;
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

static void take_larger(int8_t *out, const int8_t *in, size_t count)
{
    for (; count >= 4; count -= 4, in += 4, out += 4) {
        uint32_t a, b;
        memcpy(&a, out, 4);
        memcpy(&b, in, 4);
        a = larger_four(a, b);
        memcpy(out, &a, 4);
    }
    for (; count > 0; --count, ++in, ++out) {
        *out = *in > *out ? *in : *out;
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

void esv_pool_max_s8(const esv_pool_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const esv_pool_params *p = params;
    const size_t channels = (size_t)p->channels;
    (void)scratch;
    for (int32_t column = 0; column < p->out_width; ++column) {
        const columns window = window_at(p, column);
        int8_t *to = out + (size_t)column * channels;
        memset(to, INT8_MIN, channels);
        for (int32_t tap = 0; tap < p->kernel_height; ++tap) {
            for (int32_t i = window.first; rows[tap] != NULL && i < window.end; ++i) {
                take_larger(to, rows[tap] + (size_t)i * channels, channels);
            }
        }
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
