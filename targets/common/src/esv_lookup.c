#include "esv_lookup.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

void esv_lookup_s8(const esv_lookup_params *params, const int8_t *a, int8_t *out, size_t count)
{
    const int8_t *table = params->table;
    for (; count >= 16; count -= 16, a += 16, out += 16) {
        vstrbq_s8(out, vldrbq_gather_offset_s8(table, vreinterpretq_u8_s8(vldrbq_s8(a))));
    }
    for (; count > 0; --count) {
        *out++ = table[(uint8_t)*a++];
    }
}
#else
void esv_lookup_s8(const esv_lookup_params *params, const int8_t *a, int8_t *out, size_t count)
{
    const int8_t *table = params->table;
    for (; count >= 4; count -= 4, a += 4, out += 4) {
        out[0] = table[(uint8_t)a[0]];
        out[1] = table[(uint8_t)a[1]];
        out[2] = table[(uint8_t)a[2]];
        out[3] = table[(uint8_t)a[3]];
    }
    for (; count > 0; --count) {
        *out++ = table[(uint8_t)*a++];
    }
}
#endif
