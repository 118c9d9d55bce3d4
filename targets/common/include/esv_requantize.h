/* From an int32 accumulator to the output's grid: TensorFlow Lite Micro's double rounding, bit for bit, on every core.
 *
 * x * multiplier * 2**(shift - 31), rounded twice: SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT. */
#ifndef ESV_REQUANTIZE_H
#define ESV_REQUANTIZE_H

#include <stdint.h>

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
#endif

/* Right shifts of negative integers round toward minus infinity: so on every compiler that this library names. */
typedef char esv_requantize_shifts_are_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

/* x: any; multiplier: 0 or from 2**30 to 2**31 - 1; shift: from -31 to 31, to the left wraps around. */
static inline int32_t esv_requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t shifted = (int32_t)((uint32_t)x << (shift > 0 ? shift : 0));
    /* One nudge serves both signs: a quotient that truncates toward zero needs two, one that rounds down does not. */
    const int32_t high = (int32_t)(((int64_t)shifted * multiplier + (INT64_C(1) << 30)) >> 31);
    if (shift >= 0) {
        return high;
    }
    /* Halves away from zero: halves up, after negative values have become one less. That fits, since no product with
     * a positive multiplier is as low as -2**31. */
    const int32_t nudged = high + (high >> 31);
    return ((nudged >> (-shift - 1)) + 1) >> 1;
}

static inline int8_t esv_requantize_to_s8(int32_t x, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low,
                                          int32_t high)
{
    const int32_t value = esv_requantize(x, multiplier, shift);
    /* Compared before the zero point is added: the sum may not fit. */
    const int32_t limited = value < low - zero_point    ? low - zero_point
                            : value > high - zero_point ? high - zero_point
                                                        : value;
    return (int8_t)(limited + zero_point);
}

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
/* The same for four values, each with its own multiplier and shift. */
static inline int32x4_t esv_requantize_x4(int32x4_t x, int32x4_t multiplier, int32x4_t left, int32x4_t minus_right)
{
    const int32x4_t high = vqrdmulhq_s32(vshlq_s32(x, left), multiplier);
    /* VRSHL rounds halves up; a negative value that is shifted at all is moved down by one before. */
    const int32x4_t nudge = vshrq_n_s32(vandq_s32(high, minus_right), 31);
    return vrshlq_s32(vqaddq_s32(high, nudge), minus_right);
}
#endif

#endif /* ESV_REQUANTIZE_H */
