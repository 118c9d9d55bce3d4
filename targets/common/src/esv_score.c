#include "esv_score.h"

#include "esv_square_root.h"

/* Cohort scores that are all equal must not make a score infinite. */
#define ESV_SCORE_SMALLEST_DEVIATION 1e-4f
#define ESV_SCORE_SMALLEST_LENGTH 1e-12f

/* The root of a number, but at least `smallest`; that also where it is no number. */
static float esv_score_root(float x, float smallest)
{
    const float root = esv_square_root(x);
    return root > smallest ? root : smallest;
}

static float esv_score_length(const float *embedding, size_t dim)
{
    float squares = 0.0f;
    for (size_t i = 0; i < dim; ++i) {
        squares += embedding[i] * embedding[i];
    }
    return esv_score_root(squares, ESV_SCORE_SMALLEST_LENGTH);
}

float esv_score_cosine(const float *a, const float *b, size_t dim)
{
    float dot = 0.0f;
    for (size_t i = 0; i < dim; ++i) {
        dot += a[i] * b[i];
    }
    return dot / esv_score_length(a, dim) / esv_score_length(b, dim);
}

static float esv_score_against(const float *embedding, const int8_t *speaker, size_t dim)
{
    float dot = 0.0f;
    int32_t squares = 0; /* at most dim * 2^14: exact up to dim = 131071 */
    for (size_t i = 0; i < dim; ++i) {
        dot += embedding[i] * (float)speaker[i];
        squares += (int32_t)speaker[i] * speaker[i];
    }
    return dot / esv_score_root((float)squares, ESV_SCORE_SMALLEST_LENGTH);
}

/* Inserts a value into a list that falls; the smallest one drops out of a full list. */
static size_t esv_score_keep(float *nearest, size_t count, size_t top_n, float value)
{
    size_t at = count < top_n ? count : top_n;
    while (at > 0 && nearest[at - 1] < value) {
        if (at < top_n) {
            nearest[at] = nearest[at - 1];
        }
        --at;
    }
    if (at < top_n) {
        nearest[at] = value;
    }
    return count < top_n ? count + 1 : top_n;
}

/* Returns (score - mean) / deviation over the top_n cohort speakers nearest to the embedding. */
static float esv_score_normalize(float score, const float *embedding, const esv_score_cohort *cohort, size_t top_n,
                                 float *nearest)
{
    const float length = esv_score_length(embedding, cohort->dim);
    size_t count = 0;
    for (size_t i = 0; i < cohort->num_speakers; ++i) {
        const float value = esv_score_against(embedding, &cohort->values[i * cohort->dim], cohort->dim) / length;
        count = esv_score_keep(nearest, count, top_n, value);
    }
    if (count == 0) {
        return 0.0f;
    }
    float mean = 0.0f;
    for (size_t i = 0; i < count; ++i) {
        mean += nearest[i];
    }
    mean /= (float)count;
    float variance = 0.0f;
    for (size_t i = 0; i < count; ++i) {
        variance += (nearest[i] - mean) * (nearest[i] - mean);
    }
    variance /= (float)count;
    return (score - mean) / esv_score_root(variance, ESV_SCORE_SMALLEST_DEVIATION);
}

float esv_score_as_norm(const float *a, const float *b, const esv_score_cohort *cohort, size_t top_n, float *nearest)
{
    const float score = esv_score_cosine(a, b, cohort->dim);
    const float by_a = esv_score_normalize(score, a, cohort, top_n, nearest);
    const float by_b = esv_score_normalize(score, b, cohort, top_n, nearest);
    return 0.5f * (by_a + by_b);
}
