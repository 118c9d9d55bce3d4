#include "esv_broadcast.h"

#include <string.h>

enum { CHUNK_BYTES = 64 };

/* Repeats the value at `from` until the chunk is full. */
static void fill_chunk(uint8_t *chunk, const uint8_t *from, size_t value_bytes)
{
    for (size_t i = 0; i < CHUNK_BYTES; i += value_bytes) {
        memcpy(chunk + i, from, value_bytes);
    }
}

/* One innermost run of count values. An input that is one value is repeated in a chunk, so that kernels need not know.
 */
static void run_line(const esv_broadcast *shape, esv_broadcast_kernel *kernel, const void *params, const uint8_t *a,
                     const uint8_t *b, uint8_t *out)
{
    const size_t bytes = shape->value_bytes;
    const size_t count = shape->sizes[ESV_BROADCAST_RANK - 1];
    const uint32_t a_step = shape->a_strides[ESV_BROADCAST_RANK - 1];
    const uint32_t b_step = shape->b_strides[ESV_BROADCAST_RANK - 1];
    uint32_t chunks[2][CHUNK_BYTES / sizeof(uint32_t)];
    size_t step = count;
    if (a_step == 0 || b_step == 0) {
        step = CHUNK_BYTES / bytes;
        fill_chunk((uint8_t *)chunks[0], a, bytes);
        fill_chunk((uint8_t *)chunks[1], b, bytes);
    }
    for (size_t i = 0; i < count; i += step) {
        const void *from_a = a_step == 0 ? (const void *)chunks[0] : a + i * bytes;
        const void *from_b = b_step == 0 ? (const void *)chunks[1] : b + i * bytes;
        kernel(params, from_a, from_b, out + i * bytes, count - i < step ? count - i : step);
    }
}

void esv_broadcast_run(const esv_broadcast *shape, esv_broadcast_kernel *kernel, const void *params, const void *a,
                       const void *b, void *out, size_t count)
{
    const uint32_t *n = shape->sizes, *s = shape->a_strides, *t = shape->b_strides;
    const size_t bytes = shape->value_bytes;
    const uint8_t *a_block = (const uint8_t *)a;
    const uint8_t *b_block = (const uint8_t *)b;
    uint8_t *to = (uint8_t *)out;
    const uint8_t *end = to + count * bytes;
    for (; to < end; a_block += shape->a_block * bytes, b_block += shape->b_block * bytes) {
        for (uint32_t i = 0; i < n[0]; ++i) {
            for (uint32_t j = 0; j < n[1]; ++j) {
                for (uint32_t k = 0; k < n[2]; ++k) {
                    run_line(shape, kernel, params, a_block + (i * s[0] + j * s[1] + k * s[2]) * bytes,
                             b_block + (i * t[0] + j * t[1] + k * t[2]) * bytes, to);
                    to += n[3] * bytes;
                }
            }
        }
    }
}
