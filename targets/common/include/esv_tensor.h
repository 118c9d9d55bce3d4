/* Between float and the int8 grid of a net's input and output: value = scale * (q - zero_point). */
#ifndef ESV_TENSOR_H
#define ESV_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    float scale;
    int32_t zero_point;
} esv_tensor_grid;

/* Rounds half away from zero and saturates; NaN becomes -128. The same bits as edge_sv's Python on every core with
 * IEEE 754 floats. values: (count); out: (count). */
void esv_tensor_quantize(const float *values, size_t count, esv_tensor_grid grid, int8_t *out);

/* values: (count); out: (count). The same bits as edge_sv's Python. */
void esv_tensor_dequantize(const int8_t *values, size_t count, esv_tensor_grid grid, float *out);

#ifdef __cplusplus
}
#endif

#endif /* ESV_TENSOR_H */
