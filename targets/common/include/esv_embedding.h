/* Embeddings: length normalization and the mean over segments or recordings.
 *
 * The embedding of a recording is the mean of its segments' length-normalized embeddings, itself length-normalized; so
 * is a voice print over its recordings. A mean needs no count here: the length of a sum is normalized away.
 *
 *     float sum[DIM] = {0};
 *     for each segment: run the net; esv_embedding_normalize(e, DIM); esv_embedding_add(sum, e, DIM);
 *     esv_embedding_normalize(sum, DIM);
 *
 * Agrees with edge_sv's Python to 1e-6 per value (sums run in another order). */
#ifndef ESV_EMBEDDING_H
#define ESV_EMBEDDING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Scales an embedding to length 1; a zero vector stays zero. embedding: (dim). */
void esv_embedding_normalize(float *embedding, size_t dim);

/* Adds an embedding to a sum. sum, embedding: (dim). */
void esv_embedding_add(float *sum, const float *embedding, size_t dim);

#ifdef __cplusplus
}
#endif

#endif /* ESV_EMBEDDING_H */
