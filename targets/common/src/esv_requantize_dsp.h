/* Requantization for assembler with the DSP extension, of sums that fit in 30 bits. */
#ifndef ESV_REQUANTIZE_DSP_H
#define ESV_REQUANTIZE_DSP_H

#include <stdint.h>

/* A sum as int8 before the activation's range, in six instructions. Arguments name registers; sum: in and out.
 *
 * Doubled, multiplied and halved by 2**32: SaturatingRoundingDoublingHighMul of what fits in 31 bits. Then divided with
 * halves away from zero, which is one less for negative values before halves are rounded up.
 * round: half + zero point, both times 2**right. */
#define ESV_REQUANTIZE_DSP(sum, multiplier, round, right) \
    "lsls   " sum ", " sum ", #1\n"                       \
    "smmulr " sum ", " sum ", " multiplier "\n"           \
    "add    " sum ", " sum ", " sum ", asr #31\n"         \
    "add    " sum ", " sum ", " round "\n"                \
    "asr    " sum ", " sum ", " right "\n"                \
    "ssat   " sum ", #8, " sum "\n"

/* Whether that is exact for sums of up to `terms` products on top of a bias. */
static inline int esv_requantize_dsp_is_exact(uint32_t terms, int32_t bias, int32_t shift)
{
    return terms < (1u << 15) && bias > -(1 << 29) && bias < (1 << 29) && shift <= -1 && shift >= -20;
}

static inline int32_t esv_requantize_dsp_round(int32_t zero_point, int32_t shift)
{
    const uint32_t right = (uint32_t)-shift;
    return (int32_t)((1u << (right - 1u)) + ((uint32_t)zero_point << right));
}

#endif /* ESV_REQUANTIZE_DSP_H */
