/* Drives a kernel of two inputs over shapes that differ: an input is repeated along the dimensions where its size is 1.
 */
#ifndef ESV_BROADCAST_H
#define ESV_BROADCAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every kernel of two inputs looks like: out[i] from a[i] and b[i]. a, b, out: (count), of the kernel's type. */
typedef void esv_broadcast_kernel(const void *params, const void *a, const void *b, void *out, size_t count);

enum { ESV_BROADCAST_RANK = 4 };

/* Dimensions of one block of the output, outermost first; a stride is 0 where the input is repeated. The innermost
 * strides are 0 or 1. Blocks (rows, say) follow one another in out and, by their own strides, in a and b. */
typedef struct {
    uint32_t sizes[ESV_BROADCAST_RANK];
    uint32_t a_strides[ESV_BROADCAST_RANK]; /* values */
    uint32_t b_strides[ESV_BROADCAST_RANK];
    uint32_t a_block; /* values from one block to the next */
    uint32_t b_block;
    uint32_t value_bytes; /* 1, 2 or 4 */
} esv_broadcast;

/* Computes count values of out, a multiple of a block. out may be an input that is not repeated. */
void esv_broadcast_run(const esv_broadcast *shape, esv_broadcast_kernel *kernel, const void *params, const void *a,
                       const void *b, void *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_BROADCAST_H */
