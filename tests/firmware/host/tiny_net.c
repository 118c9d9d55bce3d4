/* A net small enough to compute by hand, and sensitive to the place of every frame:
 * output[d] = clip(sum over frames t of frame[t][d % NUM_MELS] * ((7 t + 13 d) % 11 - 5) / 64). */
#include <string.h>

#include "esv_net.h"

#define FRAMES 20
#define NUM_MELS 16
#define DIM 12

typedef struct {
    int32_t sums[DIM];
    uint32_t count;
} tiny_state;

static void tiny_begin(void *memory)
{
    memset(memory, 0xee, sizeof(tiny_state)); /* nothing may be expected of what was there */
    memset(((tiny_state *)memory)->sums, 0, sizeof(int32_t) * DIM);
    ((tiny_state *)memory)->count = 0;
}

static esv_status tiny_push(void *memory, const int8_t *frame)
{
    tiny_state *state = (tiny_state *)memory;
    if (state->count == FRAMES) {
        return ESV_ERR_SHAPE;
    }
    for (uint32_t d = 0; d < DIM; ++d) {
        state->sums[d] += frame[d % NUM_MELS] * ((int32_t)((7 * state->count + 13 * d) % 11) - 5);
    }
    ++state->count;
    return ESV_OK;
}

static esv_status tiny_finish(void *memory, int8_t *embedding)
{
    const tiny_state *state = (const tiny_state *)memory;
    if (state->count != FRAMES) {
        return ESV_ERR_SHAPE;
    }
    for (uint32_t d = 0; d < DIM; ++d) {
        const int32_t value = state->sums[d] / 64;
        embedding[d] = (int8_t)(value > INT8_MAX ? INT8_MAX : value < INT8_MIN ? INT8_MIN : value);
    }
    return ESV_OK;
}

const esv_net tiny_net = {
    {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1,  2,  3,  4,  5,  6,  7,  8,
     9,    10,   11,   12,   13,   14,   15,   16,   17, 18, 19, 20, 21, 22, 23, 24},
    NUM_MELS,
    FRAMES,
    DIM,
    0.0625f,
    -3,
    0.03125f,
    5,
    64,
    tiny_begin,
    tiny_push,
    tiny_finish,
};
