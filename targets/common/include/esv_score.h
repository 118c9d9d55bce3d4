/* From two embeddings to one score; a recording is accepted when score >= threshold. */
#ifndef ESV_SCORE_H
#define ESV_SCORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Embeddings of other speakers, int8 with one scale for all, which cosines do not need. */
typedef struct {
    const int8_t *values; /* (num_speakers, dim) */
    size_t num_speakers;
    size_t dim;
} esv_score_cohort;

/* Cosine of two embeddings of any length, -1 to 1; 0 when one of them is zero. a, b: (dim). Agrees with edge_sv's
 * Python to 1e-6. */
float esv_score_cosine(const float *a, const float *b, size_t dim);

/* AS-norm: .5 * ((s - mean_a) / deviation_a + (s - mean_b) / deviation_b), where s is the cosine of a and b and the
 * statistics are over the top_n cohort speakers nearest to a, and to b. All of the cohort is used when it is smaller.
 * a, b: (cohort->dim); nearest: (top_n) working memory. Agrees with edge_sv's Python to 1e-4.
 *
 * Source: P. Matejka et al., "Analysis of score normalization in multilingual speaker recognition", Interspeech 2017.
 */
float esv_score_as_norm(const float *a, const float *b, const esv_score_cohort *cohort, size_t top_n, float *nearest);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SCORE_H */
