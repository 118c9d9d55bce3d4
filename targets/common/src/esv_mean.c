#include "esv_mean.h"

#include <string.h>

#include "esv_requantize.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

/* Values are added in 16 bits, which hold MOST_PENDING of them, and now and then moved to 32 bits. The state is
 * {uint32_t pending, unused; int32_t sums[channels]; int16_t partial[channels]}; in `partial` the channels of a group
 * of four are stored as 0, 2, 1, 3: two words of two sums each. */
enum { MOST_PENDING = 255, HEAD_WORDS = 2 };

static int32_t *sums_of(void *state) { return (int32_t *)state + HEAD_WORDS; }

static int16_t *partial_of(const esv_mean_params *p, void *state) { return (int16_t *)(sums_of(state) + p->channels); }

void esv_mean_s8_begin(const esv_mean_params *params, void *state)
{
    memset(state, 0, ESV_MEAN_STATE_BYTES(params->channels));
}

#if defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_FEATURE_MVE)
/* sum + the sign-extended bytes 0 and 2 of four, or 1 and 3, in halves. */
static inline uint32_t add_even(uint32_t sum, uint32_t four)
{
    __asm__("sxtab16 %0, %0, %1" : "+r"(sum) : "r"(four));
    return sum;
}

static inline uint32_t add_odd(uint32_t sum, uint32_t four)
{
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sum) : "r"(four));
    return sum;
}
#endif

/* Adds one value of each channel. */
static void add_column(const int8_t *in, int16_t *partial, size_t channels)
{
#if defined(__ARM_FEATURE_MVE)
    for (; channels >= 8; channels -= 8, in += 8, partial += 8) {
        vst1q_s16(partial, vaddq_s16(vld1q_s16(partial), vldrbq_s16(in)));
    }
#elif defined(__ARM_FEATURE_SIMD32)
    for (; channels >= 4; channels -= 4, in += 4, partial += 4) {
        uint32_t four, even, odd;
        memcpy(&four, in, sizeof four);
        memcpy(&even, partial, sizeof even);
        memcpy(&odd, partial + 2, sizeof odd);
        even = add_even(even, four);
        odd = add_odd(odd, four);
        memcpy(partial, &even, sizeof even);
        memcpy(partial + 2, &odd, sizeof odd);
    }
#endif
    for (; channels > 0; --channels, ++in, ++partial) {
        *partial = (int16_t)(*partial + *in);
    }
}

/* Where the partial sum of a channel lies. */
static size_t place_of(size_t channel, size_t channels)
{
#if defined(__ARM_FEATURE_SIMD32) && !defined(__ARM_FEATURE_MVE)
    if (channel < (channels & ~(size_t)3)) {
        static const uint8_t places[4] = {0, 2, 1, 3};
        return (channel & ~(size_t)3) + places[channel & 3];
    }
#endif
    (void)channels;
    return channel;
}

static void move_partial(const esv_mean_params *p, void *state)
{
    const size_t channels = (size_t)p->channels;
    int32_t *sums = sums_of(state);
    int16_t *partial = partial_of(p, state);
    for (size_t i = 0; i < channels; ++i) {
        sums[i] += partial[place_of(i, channels)];
    }
    memset(partial, 0, channels * sizeof *partial);
    *(uint32_t *)state = 0;
}

void esv_mean_s8_add(const esv_mean_params *params, const int8_t *row, void *state)
{
    const size_t channels = (size_t)params->channels;
    uint32_t *pending = (uint32_t *)state;
    for (int32_t i = 0; i < params->width; ++i, row += channels) {
        if (*pending == MOST_PENDING) {
            move_partial(params, state);
        }
        add_column(row, partial_of(params, state), channels);
        ++*pending;
    }
}

/* (multiplier << shift) / count, for count below 2**(shift + 1): by long division, as it is done once. */
static int32_t divide_multiplier(int32_t multiplier, int32_t shift, uint32_t count)
{
    uint32_t remainder = 0, quotient = 0;
    const uint64_t dividend = (uint64_t)(uint32_t)multiplier << shift;
    for (int32_t bit = 63; bit >= 0; --bit) {
        const uint32_t carry = remainder >> 31;
        remainder = (remainder << 1) | ((uint32_t)(dividend >> bit) & 1U);
        quotient <<= 1;
        if (carry != 0 || remainder >= count) {
            remainder -= count;
            quotient |= 1U;
        }
    }
    return (int32_t)quotient;
}

void esv_mean_s8_finish(const esv_mean_params *params, void *state, size_t num_rows, int8_t *out)
{
    const esv_mean_params *p = params;
    const uint32_t count = (uint32_t)num_rows * (uint32_t)p->width;
    const int32_t *sums = sums_of(state);
    int32_t log2 = 0, multiplier = p->multiplier;
    if (p->divides != 0) {
        const int32_t most = 31 + p->shift; /* so that the shift to the right stays below 32 */
        while (log2 < most && (count >> log2) > 1) {
            ++log2;
        }
        multiplier = divide_multiplier(p->multiplier, log2, count);
    }
    move_partial(p, state);
    for (int32_t i = 0; i < p->channels; ++i) {
        const int32_t sum = sums[i] - p->in_zero_point * (int32_t)count;
        out[i] = esv_requantize_to_s8(sum, multiplier, p->shift - log2, p->out_zero_point, INT8_MIN, INT8_MAX);
    }
}

void esv_mean_row_s8(const esv_mean_row_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    const esv_mean_params *p = &params->mean;
    const int8_t *in = rows[0];
    for (int32_t place = 0; place < params->places; ++place) {
        esv_mean_s8_begin(p, scratch);
        esv_mean_s8_add(p, in, scratch);
        esv_mean_s8_finish(p, scratch, 1, out);
        in += p->width * p->channels;
        out += p->channels;
    }
}
