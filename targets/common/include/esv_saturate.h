/* Fixed-point steps that the elementwise kernels share, in as few instructions as a core has for them. */
#ifndef ESV_SATURATE_H
#define ESV_SATURATE_H

#include <stdint.h>

/* add + a * b / 2**32, the quotient rounded to nearest, halves up; the sum must fit. */
static inline int32_t esv_multiply_high(int32_t a, int32_t b, int32_t add)
{
#if defined(__ARM_FEATURE_DSP)
    int32_t out;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(add));
    return out;
#else
    return (int32_t)(((int64_t)a * b + INT64_C(0x80000000)) >> 32) + add;
#endif
}

static inline int32_t esv_clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

static inline int8_t esv_saturate_s8(int32_t x)
{
#if defined(__ARM_FEATURE_SAT)
    int32_t out;
    __asm__("ssat %0, #8, %1" : "=r"(out) : "r"(x));
    return (int8_t)out;
#else
    return (int8_t)esv_clamp(x, INT8_MIN, INT8_MAX);
#endif
}

#endif /* ESV_SATURATE_H */
