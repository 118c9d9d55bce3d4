#include "esv_clamp.h"

#include "esv_saturate.h"

void esv_clamp_s8(int8_t *values, size_t count, int32_t low, int32_t high)
{
    if (low <= INT8_MIN && high >= INT8_MAX) {
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        values[i] = (int8_t)esv_clamp(values[i], low, high);
    }
}
