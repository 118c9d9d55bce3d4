#include "esv_embedding.h"

#include <math.h>

void esv_embedding_normalize(float *embedding, size_t dim)
{
    float squares = 0.0f;
    for (size_t i = 0; i < dim; ++i) {
        squares += embedding[i] * embedding[i];
    }
    const float length = fmaxf(sqrtf(squares), 1e-12f);
    for (size_t i = 0; i < dim; ++i) {
        embedding[i] /= length;
    }
}

void esv_embedding_add(float *sum, const float *embedding, size_t dim)
{
    for (size_t i = 0; i < dim; ++i) {
        sum[i] += embedding[i];
    }
}
