/* PRELU of int8 tensors, bit for bit as TensorFlow Lite Micro. */
#ifndef ESV_PRELU_H
#define ESV_PRELU_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multipliers are multiplier * 2**(shift - 31). */
typedef struct {
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t out_zero_point;
    int32_t positive_multiplier; /* of a step of a */
    int32_t positive_shift;
    int32_t negative_multiplier; /* of a step of a times one of b */
    int32_t negative_shift;
} esv_prelu_params;

typedef struct {
    esv_broadcast shape;
    esv_prelu_params pair;
} esv_prelu_broadcast_params;

/* params: esv_prelu_params; a: (count) int8; b: (count) int8, the slopes below zero; out: (count) int8, may be a. */
void esv_prelu_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_prelu_broadcast_params. */
void esv_prelu_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_PRELU_H */
