#include "esv_tensor.h"

/* Clamps before the conversion to an integer: a float outside of int32 has none. */
static int8_t esv_tensor_round(float steps, int32_t zero_point)
{
    const int32_t low = INT8_MIN - zero_point;
    const int32_t high = INT8_MAX - zero_point;
    const float rounded = steps < 0.0f ? steps - 0.5f : steps + 0.5f; /* truncated by the conversion */
    if (!(rounded > (float)low)) {
        return INT8_MIN;
    }
    if (rounded >= (float)high) {
        return INT8_MAX;
    }
    return (int8_t)((int32_t)rounded + zero_point);
}

void esv_tensor_quantize(const float *values, size_t count, esv_tensor_grid grid, int8_t *out)
{
    for (size_t i = 0; i < count; ++i) {
        out[i] = esv_tensor_round(values[i] / grid.scale, grid.zero_point);
    }
}

void esv_tensor_dequantize(const int8_t *values, size_t count, esv_tensor_grid grid, float *out)
{
    for (size_t i = 0; i < count; ++i) {
        out[i] = grid.scale * (float)(values[i] - grid.zero_point);
    }
}
