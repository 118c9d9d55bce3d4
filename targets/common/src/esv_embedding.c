#include "esv_embedding.h"

#include "esv_square_root.h"

#define ESV_EMBEDDING_SHORTEST 1e-12f

void esv_embedding_normalize(float *embedding, size_t dim)
{
    float squares = 0.0f;
    for (size_t i = 0; i < dim; ++i) {
        squares += embedding[i] * embedding[i];
    }
    const float root = esv_square_root(squares);
    const float length = root > ESV_EMBEDDING_SHORTEST ? root : ESV_EMBEDDING_SHORTEST;
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
