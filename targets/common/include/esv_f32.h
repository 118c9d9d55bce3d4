/* Operators on float32, for the parts of a net that were not quantized.
 *
 * Sums, products, means, roots and conversions have the bits of TensorFlow Lite Micro. LOGISTIC, TANH, EXP and SOFTMAX
 * have the same bits on every core and are within 3 units in the last place of the exact value of TensorFlow Lite's
 * formula: they use this library's own exponential, TensorFlow Lite Micro its platform's. All of it needs a compiler
 * that fuses no operations (-ffp-contract=off). */
#ifndef ESV_F32_H
#define ESV_F32_H

#include <stddef.h>
#include <stdint.h>

#include "esv_broadcast.h"
#include "esv_tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ESV_PAIR_ADD,
    ESV_PAIR_SUB,
    ESV_PAIR_MUL,
    ESV_PAIR_DIV,
    ESV_PAIR_MAXIMUM,
    ESV_PAIR_MINIMUM,
    ESV_PAIR_SQUARED_DIFFERENCE
};

typedef struct {
    int32_t operation; /* ESV_PAIR_... */
    float low;         /* limits of the output, of the first four */
    float high;
} esv_pair_params;

typedef struct {
    esv_broadcast shape;
    esv_pair_params pair;
} esv_pair_broadcast_params;

/* params: esv_pair_params; a, b, out: (count) float; out may be a or b. */
void esv_pair_f32(const void *params, const void *a, const void *b, void *out, size_t count);

/* See esv_broadcast_run. params: esv_pair_broadcast_params. */
void esv_pair_broadcast_f32(const void *params, const void *a, const void *b, void *out, size_t count);

enum {
    ESV_UNARY_LIMIT,
    ESV_UNARY_ABS,
    ESV_UNARY_NEG,
    ESV_UNARY_SQUARE,
    ESV_UNARY_SQRT,
    ESV_UNARY_RSQRT,
    ESV_UNARY_EXP,
    ESV_UNARY_LOGISTIC,
    ESV_UNARY_TANH
};

typedef struct {
    int32_t operation; /* ESV_UNARY_... */
    float low;         /* of ESV_UNARY_LIMIT */
    float high;
} esv_unary_params;

/* a, out: (count); out may be a. */
void esv_unary_f32(const esv_unary_params *params, const float *a, float *out, size_t count);

typedef struct {
    int32_t places;
    int32_t depth; /* values over which the output sums to one */
    float beta;
} esv_softmax_f32_params;

/* rows: (1) pointer to (places, depth); out: (places, depth); scratch is not used. */
void esv_softmax_f32(const esv_softmax_f32_params *params, const float *const rows[], float *out, void *scratch);

typedef struct {
    int32_t width;    /* values of each channel in a row */
    int32_t channels; /* values that stay */
    int32_t divides;  /* 1: by the number of values, 0: the sum */
} esv_mean_f32_params;

/* Takes rows as they come. state: (channels) float; row: (width, channels); out: (channels). */
void esv_mean_f32_begin(const esv_mean_f32_params *params, void *state);
void esv_mean_f32_add(const esv_mean_f32_params *params, const float *row, void *state);
void esv_mean_f32_finish(const esv_mean_f32_params *params, void *state, size_t num_rows, float *out);

/* Within a row: a mean over `width` for each of `places` and each channel. */
typedef struct {
    int32_t places;
    esv_mean_f32_params mean;
} esv_mean_row_f32_params;

/* rows: (1) pointer to (places, width, channels); out: (places, channels); scratch: a state. */
void esv_mean_row_f32(const esv_mean_row_f32_params *params, const float *const rows[], float *out, void *scratch);

/* Between float and int8. a, out: (count). */
void esv_quantize_s8(const esv_tensor_grid *params, const float *a, int8_t *out, size_t count);
void esv_dequantize_s8(const esv_tensor_grid *params, const int8_t *a, float *out, size_t count);

/* exp(x) and exp(x) - 1, within 1.5 units in the last place. */
float esv_f32_exp(float x);
float esv_f32_exp_minus_one(float x);

#ifdef __cplusplus
}
#endif

#endif /* ESV_F32_H */
