#include "esv_mul.h"

#include "esv_clamp.h"
#include "esv_requantize.h"
#include "esv_saturate.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

static inline int32x4_t mul_four(const esv_mul_params *p, int32x4_t a, int32x4_t b)
{
    const int32x4_t doubled = vaddq_n_s32(vaddq_s32(b, b), p->b_offset);
    const int32x4_t product = vmulq_s32(vaddq_n_s32(a, p->a_offset), doubled);
    int32x4_t value = vrmulhq_s32(product, vdupq_n_s32(p->multiplier));
    value = vaddq_s32(vaddq_n_s32(value, p->out_offset), vshrq_n_s32(product, 31));
    return vminq_s32(vmaxq_s32(vshlq_r_s32(value, -p->shift), vdupq_n_s32(p->out_min)), vdupq_n_s32(p->out_max));
}

static void mul(const esv_mul_params *params, const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    const esv_mul_params p = *params;
    for (; count >= 4; count -= 4, a += 4, b += 4, out += 4) {
        vstrbq_s32(out, mul_four(&p, vldrbq_s32(a), vldrbq_s32(b)));
    }
    if (count > 0) {
        const mve_pred16_t tail = vctp32q((uint32_t)count);
        vstrbq_p_s32(out, mul_four(&p, vldrbq_z_s32(a, tail), vldrbq_z_s32(b, tail)), tail);
    }
}
#else
static void mul(const esv_mul_params *p, const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    const int32_t a_offset = p->a_offset, b_offset = p->b_offset, multiplier = p->multiplier;
    const int32_t out_offset = p->out_offset, shift = p->shift;
    for (; count >= 2; count -= 2, a += 2, b += 2, out += 2) {
        const int32_t x = (a[0] + a_offset) * (2 * b[0] + b_offset);
        const int32_t y = (a[1] + a_offset) * (2 * b[1] + b_offset);
        out[0] = esv_saturate_s8((esv_multiply_high(x, multiplier, out_offset) + (x >> 31)) >> shift);
        out[1] = esv_saturate_s8((esv_multiply_high(y, multiplier, out_offset) + (y >> 31)) >> shift);
    }
    if (count > 0) {
        const int32_t x = (*a + a_offset) * (2 * *b + b_offset);
        *out = esv_saturate_s8((esv_multiply_high(x, multiplier, out_offset) + (x >> 31)) >> shift);
    }
}
#endif

void esv_mul_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_mul_params *p = (const esv_mul_params *)params;
    mul(p, (const int8_t *)a, (const int8_t *)b, (int8_t *)out, count);
#if !defined(__ARM_FEATURE_MVE)
    esv_clamp_s8((int8_t *)out, count, p->out_min, p->out_max);
#endif
}

void esv_mul_rounded_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_mul_rounded_params *p = (const esv_mul_rounded_params *)params;
    const int8_t *from_a = (const int8_t *)a, *from_b = (const int8_t *)b;
    for (size_t i = 0; i < count; ++i) {
        const int32_t product = (from_a[i] + p->a_offset) * (from_b[i] + p->b_offset);
        const int32_t value = esv_requantize(product, p->multiplier, p->shift) + p->out_zero_point;
        ((int8_t *)out)[i] = (int8_t)esv_clamp(value, p->out_min, p->out_max);
    }
}

void esv_mul_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_mul_broadcast_params *p = (const esv_mul_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_mul_s8, &p->pair, a, b, out, count);
}

void esv_mul_rounded_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_mul_rounded_broadcast_params *p = (const esv_mul_rounded_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_mul_rounded_s8, &p->pair, a, b, out, count);
}
