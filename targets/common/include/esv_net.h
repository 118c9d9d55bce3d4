/* A speaker net that takes int8 feature frames one by one and gives an int8 embedding.
 *
 *     ESV_ALIGNED(16) static uint8_t state[BYTES];    (BYTES >= net->state_bytes)
 *     net->begin(state);
 *     for each frame: status = net->push(state, frame);
 *     status = net->finish(state, embedding);
 *
 * Generated code defines one constant of this type. Whether it keeps all frames and computes at the end (static plan)
 * or computes as they arrive (streaming plan) shows in state_bytes alone. */
#ifndef ESV_NET_H
#define ESV_NET_H

#include <stddef.h>
#include <stdint.h>

#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Says that an operator begins; ESV_OPERATOR_NONE: that the last one has ended. Costs nothing unless the whole program
 * is compiled with ESV_OPERATOR_HOOK, to count what each operator takes. */
#define ESV_OPERATOR_NONE 0xFFFFu
#ifdef ESV_OPERATOR_HOOK
void esv_operator_hook(unsigned index);
#define ESV_OPERATOR(index) esv_operator_hook(index)
#else
#define ESV_OPERATOR(index) ((void)0)
#endif

typedef struct {
    uint8_t model_sha256[32]; /* of model.tflite: what voice prints are bound to */
    uint16_t num_mels;
    uint16_t frames; /* in a segment */
    uint16_t embedding_dim;
    float input_scale; /* value = scale * (q - zero_point) */
    int32_t input_zero_point;
    float output_scale;
    int32_t output_zero_point;
    size_t state_bytes; /* a multiple of 16; the state is aligned to 16 */
    /* Starts a segment; what was pushed before is forgotten. */
    void (*begin)(void *state);
    /* Takes one frame; more frames than the net takes are ESV_ERR_SHAPE. frame: (num_mels). */
    esv_status (*push)(void *state, const int8_t *frame);
    /* Ends the segment; too few frames are ESV_ERR_SHAPE. embedding: (embedding_dim). */
    esv_status (*finish)(void *state, int8_t *embedding);
} esv_net;

#ifdef __cplusplus
}
#endif

#endif /* ESV_NET_H */
