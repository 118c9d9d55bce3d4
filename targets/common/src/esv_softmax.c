#include "esv_softmax.h"

#include "esv_requantize.h"
#include "esv_saturate.h"

/* Integer bits of the sum of exponentials, of which there may be 4096. */
enum { SUM_BITS = 12 };

/* a * b / 2**31, rounded. */
static int32_t multiply_q31(int32_t a, int32_t b) { return esv_requantize(a, b, 0); }

/* x / 2**shift, rounded, halves away from zero. */
static int32_t divide_by_power(int32_t x, int32_t shift)
{
    const int64_t half = ((int64_t)1 << shift) >> 1;
    return (int32_t)((x + half - (shift > 0 && x < 0)) >> shift);
}

static int32_t leading_zeros(uint32_t x)
{
    int32_t zeros = 0;
    for (; zeros < 32 && (x & 0x80000000U) == 0; x <<= 1) {
        ++zeros;
    }
    return zeros;
}

/* 1 / (1 + x) for x from 0 to 1, by Newton and Raphson's division, as gemmlowp does it. */
static int32_t one_over_one_plus_q31(int32_t x_q31)
{
    const int32_t half_q31 = (int32_t)(((int64_t)x_q31 + INT32_MAX + 1) >> 1);
    int32_t guess_q29 = 1515870810 + multiply_q31(half_q31, -1010580540); /* 48/17 - 32/17 * half */
    for (int32_t i = 0; i < 3; ++i) {
        const int32_t error_q29 = (1 << 29) - multiply_q31(half_q31, guess_q29);
        guess_q29 += multiply_q31(guess_q29, error_q29) * 4;
    }
    return guess_q29 > INT32_MAX / 2 ? INT32_MAX : guess_q29 * 2;
}

static void softmax(const int32_t *exps_q31, const int8_t *in, int32_t depth, int8_t *out)
{
    int32_t largest = INT8_MIN;
    for (int32_t i = 0; i < depth; ++i) {
        largest = in[i] > largest ? in[i] : largest;
    }
    uint32_t sum_q19 = 0;
    for (int32_t i = 0; i < depth; ++i) {
        sum_q19 += (uint32_t)divide_by_power(exps_q31[largest - in[i]], SUM_BITS);
    }
    const int32_t zeros = leading_zeros(sum_q19);
    const int32_t reciprocal_q31 = one_over_one_plus_q31((int32_t)((sum_q19 << zeros) - 0x80000000U));
    const int32_t shift = SUM_BITS - zeros + 31 - 8;
    for (int32_t i = 0; i < depth; ++i) {
        const int32_t share = divide_by_power(multiply_q31(reciprocal_q31, exps_q31[largest - in[i]]), shift);
        out[i] = esv_saturate_s8(share + INT8_MIN);
    }
}

void esv_softmax_s8(const esv_softmax_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const size_t depth = (size_t)params->depth;
    (void)scratch;
    for (size_t place = 0; place < (size_t)params->places; ++place) {
        softmax(params->exps_q31, rows[0] + place * depth, params->depth, out + place * depth);
    }
}
