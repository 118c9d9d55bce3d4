/* MAXIMUM and MINIMUM of two int8 tensors, REDUCE_MAX and REDUCE_MIN over rows: grids stay as they are. */
#ifndef ESV_EXTREMUM_H
#define ESV_EXTREMUM_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t sign; /* 1: the largest value, -1: the smallest */
} esv_extremum_params;

typedef struct {
    esv_broadcast shape;
    esv_extremum_params pair;
} esv_extremum_broadcast_params;

/* params: esv_extremum_params; a, b, out: (count) int8; out may be a or b. */
void esv_extremum_s8(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_extremum_broadcast_params. */
void esv_extremum_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count);

typedef struct {
    int32_t sign;     /* as above */
    int32_t width;    /* values of each channel in a row */
    int32_t channels; /* values that stay */
} esv_reduce_extremum_params;

/* Takes rows as they come. state: (channels); row: (width, channels); out: (channels). */
void esv_reduce_extremum_s8_begin(const esv_reduce_extremum_params *params, void *state);
void esv_reduce_extremum_s8_add(const esv_reduce_extremum_params *params, const int8_t *row, void *state);
void esv_reduce_extremum_s8_finish(const esv_reduce_extremum_params *params, void *state, size_t num_rows, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif /* ESV_EXTREMUM_H */
