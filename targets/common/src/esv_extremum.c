#include "esv_extremum.h"

#include <string.h>

static void take_extremum(int32_t sign, const int8_t *a, const int8_t *b, int8_t *out, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        out[i] = a[i] * sign > b[i] * sign ? a[i] : b[i];
    }
}

void esv_extremum_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_extremum_params *p = (const esv_extremum_params *)params;
    take_extremum(p->sign, (const int8_t *)a, (const int8_t *)b, (int8_t *)out, count);
}

void esv_extremum_broadcast_s8(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_extremum_broadcast_params *p = (const esv_extremum_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_extremum_s8, &p->pair, a, b, out, count);
}

void esv_reduce_extremum_s8_begin(const esv_reduce_extremum_params *params, void *state)
{
    memset(state, params->sign > 0 ? INT8_MIN : INT8_MAX, (size_t)params->channels);
}

void esv_reduce_extremum_s8_add(const esv_reduce_extremum_params *params, const int8_t *row, void *state)
{
    const size_t channels = (size_t)params->channels;
    int8_t *so_far = (int8_t *)state;
    for (int32_t i = 0; i < params->width; ++i, row += channels) {
        take_extremum(params->sign, row, so_far, so_far, channels);
    }
}

void esv_reduce_extremum_s8_finish(const esv_reduce_extremum_params *params, void *state, size_t num_rows, int8_t *out)
{
    (void)num_rows;
    memcpy(out, state, (size_t)params->channels);
}
