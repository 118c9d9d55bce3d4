/* SOFTMAX of int8, bit for bit as TensorFlow Lite Micro. */
#ifndef ESV_SOFTMAX_H
#define ESV_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t places;
    int32_t depth;           /* values over which the output sums to one */
    const int32_t *exps_q31; /* (256): exp of 0, -1, -2, ... steps of the input */
} esv_softmax_params;

/* rows: (1) pointer to (places, depth); out: (places, depth), scale 1/256, zero point -128; scratch is not used. */
void esv_softmax_s8(const esv_softmax_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SOFTMAX_H */
