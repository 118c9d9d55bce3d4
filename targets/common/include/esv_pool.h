/* MAX_POOL_2D and AVERAGE_POOL_2D of int8, one output row at a time, bit for bit as TensorFlow Lite Micro. Padding
 * counts for nothing: a row of the window outside of the input is a null pointer. */
#ifndef ESV_POOL_H
#define ESV_POOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t in_width;
    int32_t channels;
    int32_t out_width;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t pad_left;
    int32_t out_min;
    int32_t out_max;
} esv_pool_params;

/* rows: (kernel_height) pointers to (in_width, channels), at least one not null; out: (out_width, channels), apart from
 * the rows; scratch is not used. */
void esv_pool_max_s8(const esv_pool_params *params, const int8_t *const rows[], int8_t *out, void *scratch);
void esv_pool_average_s8(const esv_pool_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* ESV_POOL_H */
