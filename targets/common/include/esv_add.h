/* ADD and SUB of int8 tensors, bit for bit as TensorFlow Lite Micro.
 *
 * TFLite rounds five times on the way from two int8 values to one. Where the converter finds a weighted sum that gives
 * the same result for all 65,536 pairs of values, having tried them all, esv_add_s8 computes that. For the few grids
 * that have none (scales in such a ratio that sums fall on halves), esv_add_rounded_s8 takes TFLite's steps. */
#ifndef ESV_ADD_H
#define ESV_ADD_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out = (a * a_factor + b * b_factor + offset) >> shift, limited; every such sum fits. */
typedef struct {
    int32_t a_factor;
    int32_t b_factor;
    int32_t offset;
    int32_t shift;
    int32_t out_min;
    int32_t out_max;
} esv_add_params;

typedef struct {
    esv_broadcast shape;
    esv_add_params pair;
} esv_add_broadcast_params;

/* TFLite brings both inputs to a grid of 2**-20 of twice the larger scale, as multiplier * 2**shift, and their sum from
 * there to the output. Shifts are not positive. */
typedef struct {
    int32_t a_zero_point;
    int32_t a_multiplier;
    int32_t a_shift;
    int32_t b_zero_point;
    int32_t b_multiplier;
    int32_t b_shift;
    int32_t b_sign; /* 1, or -1 for SUB */
    int32_t out_zero_point;
    int32_t out_multiplier;
    int32_t out_shift;
    int32_t out_min;
    int32_t out_max;
} esv_add_rounded_params;

typedef struct {
    esv_broadcast shape;
    esv_add_rounded_params pair;
} esv_add_rounded_broadcast_params;

/* params: esv_add_params; a, b, out: (count) int8; out may be a or b. */
void esv_add_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* params: esv_add_rounded_params; as esv_add_s8. */
void esv_add_rounded_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_add_broadcast_params, esv_add_rounded_broadcast_params. */
void esv_add_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);
void esv_add_rounded_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_ADD_H */
