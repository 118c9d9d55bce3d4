/* Limits int8 values to a fused activation's range, after a kernel that saturates to int8. */
#ifndef ESV_CLAMP_H
#define ESV_CLAMP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* values: (count); does nothing when low and high are int8's own limits. */
void esv_clamp_s8(int8_t *values, size_t count, int32_t low, int32_t high);

#ifdef __cplusplus
}
#endif

#endif /* ESV_CLAMP_H */
