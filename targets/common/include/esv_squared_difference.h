/* SQUARED_DIFFERENCE of int8 tensors, bit for bit as TensorFlow Lite Micro. */
#ifndef ESV_SQUARED_DIFFERENCE_H
#define ESV_SQUARED_DIFFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Both inputs are brought to a grid of 2**-7 of twice the larger scale; multipliers are multiplier * 2**(shift - 31).
 */
typedef struct {
    int32_t a_zero_point;
    int32_t a_multiplier;
    int32_t a_shift;
    int32_t b_zero_point;
    int32_t b_multiplier;
    int32_t b_shift;
    int32_t out_zero_point;
    int32_t out_multiplier;
    int32_t out_shift;
} esv_squared_difference_params;

typedef struct {
    esv_broadcast shape;
    esv_squared_difference_params pair;
} esv_squared_difference_broadcast_params;

/* params: esv_squared_difference_params; a, b, out: (count) int8; out may be a or b. */
void esv_squared_difference_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_squared_difference_broadcast_params. */
void esv_squared_difference_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SQUARED_DIFFERENCE_H */
