#include "esv_add.h"

#include "esv_clamp.h"
#include "esv_requantize.h"
#include "esv_saturate.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

static inline int32x4_t add_four(const esv_add_params *p, int32x4_t a, int32x4_t b)
{
    const int32x4_t sum = vmlaq_n_s32(vmlasq_n_s32(a, vdupq_n_s32(p->a_factor), p->offset), b, p->b_factor);
    return vminq_s32(vmaxq_s32(vshlq_r_s32(sum, -p->shift), vdupq_n_s32(p->out_min)), vdupq_n_s32(p->out_max));
}

static void add(const esv_add_params *params, const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    const esv_add_params p = *params;
    for (; count >= 4; count -= 4, a += 4, b += 4, out += 4) {
        vstrbq_s32(out, add_four(&p, vldrbq_s32(a), vldrbq_s32(b)));
    }
    if (count > 0) {
        const mve_pred16_t tail = vctp32q((uint32_t)count);
        vstrbq_p_s32(out, add_four(&p, vldrbq_z_s32(a, tail), vldrbq_z_s32(b, tail)), tail);
    }
}
#else
static void add(const esv_add_params *p, const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    const int32_t a_factor = p->a_factor, b_factor = p->b_factor, offset = p->offset, shift = p->shift;
    for (; count >= 4; count -= 4, a += 4, b += 4, out += 4) {
        out[0] = esv_saturate_s8((a[0] * a_factor + (b[0] * b_factor + offset)) >> shift);
        out[1] = esv_saturate_s8((a[1] * a_factor + (b[1] * b_factor + offset)) >> shift);
        out[2] = esv_saturate_s8((a[2] * a_factor + (b[2] * b_factor + offset)) >> shift);
        out[3] = esv_saturate_s8((a[3] * a_factor + (b[3] * b_factor + offset)) >> shift);
    }
    for (; count > 0; --count, ++a, ++b, ++out) {
        *out = esv_saturate_s8((*a * a_factor + (*b * b_factor + offset)) >> shift);
    }
}
#endif

void esv_add_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_add_params *p = (const esv_add_params *)params;
    add(p, (const int8_t *)a, (const int8_t *)b, (int8_t *)out, count);
#if !defined(__ARM_FEATURE_MVE)
    esv_clamp_s8((int8_t *)out, count, p->out_min, p->out_max);
#endif
}

void esv_add_rounded_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_add_rounded_params *p = (const esv_add_rounded_params *)params;
    const int8_t *from_a = (const int8_t *)a, *from_b = (const int8_t *)b;
    for (size_t i = 0; i < count; ++i) {
        const int32_t x = (from_a[i] - p->a_zero_point) * (1 << 20);
        const int32_t y = (from_b[i] - p->b_zero_point) * (1 << 20);
        const int32_t sum =
            esv_requantize(x, p->a_multiplier, p->a_shift) + p->b_sign * esv_requantize(y, p->b_multiplier, p->b_shift);
        const int32_t value = esv_requantize(sum, p->out_multiplier, p->out_shift) + p->out_zero_point;
        ((int8_t *)out)[i] = (int8_t)esv_clamp(value, p->out_min, p->out_max);
    }
}

void esv_add_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_add_broadcast_params *p = (const esv_add_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_add_s8, &p->pair, a, b, out, count);
}

void esv_add_rounded_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_add_rounded_broadcast_params *p = (const esv_add_rounded_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_add_rounded_s8, &p->pair, a, b, out, count);
}
