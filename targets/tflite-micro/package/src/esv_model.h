/* The net, run by TensorFlow Lite Micro, behind a plain C interface.
 *
 * The caller owns all memory; nothing is allocated, nothing is global. One esv_model belongs to one thread at a time.
 *
 *     ESV_ALIGNED(16) static uint8_t memory[ESV_MODEL_MEMORY_BYTES];
 *     esv_model *model;
 *     float embedding[ESV_MODEL_EMBEDDING_DIM];
 *     esv_status status = esv_model_init(&model, memory, sizeof memory);
 *     if (status == ESV_OK) status = esv_model_embed(model, features, embedding);
 */
#ifndef ESV_MODEL_H
#define ESV_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "esv_align.h"
#include "esv_model_config.h"
#include "esv_status.h"
#include "esv_tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Lives inside the caller's memory. */
typedef struct esv_model esv_model;

/* Places the net and its tensor arena in memory, which must be aligned to 16 bytes and stay until esv_model_deinit.
 * The arena is what ESV_MODEL_OBJECT_BYTES leave of it. On an error *self is null and TensorFlow Lite Micro's log has
 * the details. */
esv_status esv_model_init(esv_model **self, void *memory, size_t memory_bytes);

/* Ends the model's life; the memory is the caller's again. Null is allowed. */
void esv_model_deinit(esv_model *self);

/* Grid of the int8 input and output; read from the model. */
esv_tensor_grid esv_model_input_grid(const esv_model *self);
esv_tensor_grid esv_model_output_grid(const esv_model *self);

/* Bytes of the arena that are in use: once known on the board, memory_bytes may shrink to it + ESV_MODEL_OBJECT_BYTES.
 */
size_t esv_model_arena_used(const esv_model *self);

/* Runs the net on one segment. input: (ESV_MODEL_FRAMES, ESV_MODEL_NUM_MELS) on the input's grid; output:
 * (ESV_MODEL_EMBEDDING_DIM) on the output's grid. */
esv_status esv_model_run(esv_model *self, const int8_t *input, int8_t *output);

/* Embeds one segment. features: (ESV_MODEL_FRAMES, ESV_MODEL_NUM_MELS) normalized log-mel frames; embedding:
 * (ESV_MODEL_EMBEDDING_DIM) of length 1. Sum the segments and normalize again for a recording: esv_embedding.h. */
esv_status esv_model_embed(esv_model *self, const float *features, float *embedding);

#ifdef __cplusplus
}
#endif

#endif /* ESV_MODEL_H */
