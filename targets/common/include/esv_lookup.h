/* Any function of one int8 value, as a table that the converter makes: LOGISTIC, TANH, RSQRT, RELU, QUANTIZE, ... */
#ifndef ESV_LOOKUP_H
#define ESV_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const int8_t *table; /* (256), indexed by the value's bits: 0 to 127, then -128 to -1 */
} esv_lookup_params;

/* a, out: (count); out may be a. */
void esv_lookup_s8(const esv_lookup_params *params, const int8_t *a, int8_t *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_LOOKUP_H */
