/* Integer arithmetic with the same bits on every core. */
#ifndef ESV_INTEGER_H
#define ESV_INTEGER_H

#include <stdint.h>

/* Right shifts of negative numbers round down, as with every compiler this library knows; another one stops here. */
typedef char esv_integer_shifts_round_down[(-1 >> 1) == -1 ? 1 : -1];

/* Returns (a * b) >> 32, rounded down. */
static inline int32_t esv_integer_mul_high(int32_t a, int32_t b)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__) /* no product of 64 bits */
    const uint32_t a_low = (uint32_t)a & 0xffffu;
    const uint32_t b_low = (uint32_t)b & 0xffffu;
    const int32_t a_high = a >> 16;
    const int32_t b_high = b >> 16;
    const int32_t first = a_high * (int32_t)b_low + (int32_t)((a_low * b_low) >> 16);
    const int32_t second = b_high * (int32_t)a_low + (first & 0xffff);
    return a_high * b_high + (first >> 16) + (second >> 16);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}

/* Returns (a * w) >> 16, rounded down. */
static inline int32_t esv_integer_mul_q16(int32_t a, int16_t w) { return esv_integer_mul_high(a, (int32_t)w * 65536); }

static inline uint64_t esv_integer_square(int32_t a)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    const uint32_t positive = a < 0 ? 0u - (uint32_t)a : (uint32_t)a;
    const uint32_t high = positive >> 16;
    const uint32_t low = positive & 0xffffu;
    return ((uint64_t)(high * high) << 32) + ((uint64_t)(high * low) << 17) + low * low;
#else
    return (uint64_t)((int64_t)a * a);
#endif
}

/* Returns the number of zeros above the highest one of x, which is not 0. */
static inline int esv_integer_leading_zeros(uint64_t x)
{
#if defined(__GNUC__) || defined(__clang__)
    const uint32_t high = (uint32_t)(x >> 32);
    return high != 0 ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)x);
#else
    int zeros = 0;
    for (; (x >> 63) == 0; x <<= 1) {
        ++zeros;
    }
    return zeros;
#endif
}

#endif /* ESV_INTEGER_H */
