/* Any samples in chunks of any size: the embedding has length 1 or is zero, whatever the gate decides. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define DIM 12
#define MAX_CHUNK 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_embedding(const float *embedding)
{
    float squares = 0.0f;
    for (int i = 0; i < DIM; ++i) {
        squares += embedding[i] * embedding[i];
    }
    if (squares != 0.0f && !(fabsf(squares - 1.0f) < 1e-4f)) {
        abort();
    }
}

/* data: flags, then chunks: a byte for the size, a byte that repeats them, samples. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int16_t pcm[MAX_CHUNK];
    float embedding[DIM];
    if (size < 4 || device_make(data[0] & 0x0cu) != ESV_OK || esv_begin(device) != ESV_OK) {
        return 0;
    }
    for (size_t at = 1; at + 2 < size;) {
        const size_t wanted = data[at] % MAX_CHUNK, repeats = data[at + 1] % 16u + 1u;
        at += 2;
        const size_t bytes = 2 * wanted < size - at ? 2 * wanted : size - at;
        memcpy(pcm, data + at, bytes);
        for (size_t i = 0; i < repeats; ++i) {
            if (esv_feed(device, pcm, bytes / 2) != ESV_OK) {
                abort();
            }
        }
        at += bytes;
    }
    const esv_status status = esv_finish(device, embedding);
    if (status == ESV_OK) {
        check_embedding(embedding);
    } else if (status != ESV_ERR_SILENT && status != ESV_ERR_TOO_SHORT && status != ESV_ERR_CLIPPED) {
        abort();
    }
    return 0;
}
