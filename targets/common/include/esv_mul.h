/* MUL of int8 tensors, bit for bit as TensorFlow Lite Micro, which rounds the scaled product twice. esv_mul_s8 takes
 * the usual grids, esv_mul_rounded_s8 any: those whose products are scaled up, or hardly down. */
#ifndef ESV_MUL_H
#define ESV_MUL_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out = ((a + a_offset) * (2 * b + b_offset) * multiplier / 2**32 + out_offset) >> shift, limited: the quotient is
 * rounded, and one is taken off it where the product is negative, so that halves are rounded away from zero. */
typedef struct {
    int32_t a_offset;
    int32_t b_offset;
    int32_t multiplier;
    int32_t out_offset; /* (zero point << shift) + half */
    int32_t shift;      /* at least 1 */
    int32_t out_min;
    int32_t out_max;
} esv_mul_params;

typedef struct {
    esv_broadcast shape;
    esv_mul_params pair;
} esv_mul_broadcast_params;

/* out = out_zero_point + (a + a_offset) * (b + b_offset) * multiplier * 2**(shift - 31), rounded twice, limited. */
typedef struct {
    int32_t a_offset;
    int32_t b_offset;
    int32_t multiplier;
    int32_t shift;
    int32_t out_zero_point;
    int32_t out_min;
    int32_t out_max;
} esv_mul_rounded_params;

typedef struct {
    esv_broadcast shape;
    esv_mul_rounded_params pair;
} esv_mul_rounded_broadcast_params;

/* params: esv_mul_params; a, b, out: (count) int8; out may be a or b. */
void esv_mul_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* params: esv_mul_rounded_params; as esv_mul_s8. */
void esv_mul_rounded_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_mul_broadcast_params, esv_mul_rounded_broadcast_params. */
void esv_mul_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);
void esv_mul_rounded_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_MUL_H */
