/* MEAN and SUM of int8, over rows that may arrive one by one or within each row, bit for bit as TensorFlow Lite Micro.
 */
#ifndef ESV_MEAN_H
#define ESV_MEAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t width;    /* values of each channel in a row */
    int32_t channels; /* values that stay */
    int32_t in_zero_point;
    int32_t multiplier; /* input scale / output scale, as multiplier * 2**(shift - 31) */
    int32_t shift;
    int32_t out_zero_point;
    int32_t divides; /* 1: by the number of values, 0: the sum */
} esv_mean_params;

/* state: ESV_MEAN_STATE_BYTES(channels), aligned to 4. */
#define ESV_MEAN_STATE_BYTES(channels) (8 + 6 * (size_t)(channels))

/* Starts a mean. */
void esv_mean_s8_begin(const esv_mean_params *params, void *state);

/* Takes a row: (width, channels). */
void esv_mean_s8_add(const esv_mean_params *params, const int8_t *row, void *state);

/* Ends with the mean of num_rows rows, which were taken. out: (channels). */
void esv_mean_s8_finish(const esv_mean_params *params, void *state, size_t num_rows, int8_t *out);

/* Within a row: a mean over `width` for each of `places` and each channel. */
typedef struct {
    int32_t places;
    esv_mean_params mean;
} esv_mean_row_params;

/* rows: (1) pointer to (places, width, channels); out: (places, channels); scratch: a state. */
void esv_mean_row_s8(const esv_mean_row_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* ESV_MEAN_H */
