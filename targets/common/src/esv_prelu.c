#include "esv_prelu.h"

#include "esv_requantize.h"

void esv_prelu_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_prelu_params *p = (const esv_prelu_params *)params;
    const int8_t *value = (const int8_t *)a, *slope = (const int8_t *)b;
    for (size_t i = 0; i < count; ++i) {
        const int32_t x = value[i] - p->a_zero_point;
        const int32_t scaled = x * (x < 0 ? slope[i] - p->b_zero_point : 1);
        const int32_t multiplier = x < 0 ? p->negative_multiplier : p->positive_multiplier;
        const int32_t shift = x < 0 ? p->negative_shift : p->positive_shift;
        ((int8_t *)out)[i] = esv_requantize_to_s8(scaled, multiplier, shift, p->out_zero_point, INT8_MIN, INT8_MAX);
    }
}

void esv_prelu_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_prelu_broadcast_params *p = (const esv_prelu_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_prelu_s8, &p->pair, a, b, out, count);
}
