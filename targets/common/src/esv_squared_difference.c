#include "esv_squared_difference.h"

#include "esv_requantize.h"

void esv_squared_difference_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_squared_difference_params *p = (const esv_squared_difference_params *)params;
    const int8_t *from_a = (const int8_t *)a, *from_b = (const int8_t *)b;
    for (size_t i = 0; i < count; ++i) {
        const int32_t x = esv_requantize((from_a[i] - p->a_zero_point) * (1 << 7), p->a_multiplier, p->a_shift);
        const int32_t y = esv_requantize((from_b[i] - p->b_zero_point) * (1 << 7), p->b_multiplier, p->b_shift);
        ((int8_t *)out)[i] = esv_requantize_to_s8((x - y) * (x - y), p->out_multiplier, p->out_shift, p->out_zero_point,
                                                  INT8_MIN, INT8_MAX);
    }
}

void esv_squared_difference_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_squared_difference_broadcast_params *p = (const esv_squared_difference_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_squared_difference_s8, &p->pair, a, b, out, count);
}
