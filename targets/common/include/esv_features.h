/* The front end: int16 PCM in chunks of any size in, int8 log-mel frames for the net's input out.
 *
 * window -> power spectrum -> mel bands -> natural logarithm -> minus the mean known so far -> int8 of the net's input.
 * A frame needs the last window_length samples and nothing that comes later.
 *
 *     esv_features_init(&features, &my_net_features, memory, sizeof memory);
 *     for each chunk (pcm, num_samples):
 *         while (esv_features_next(&features, &pcm, &num_samples, frame) == ESV_OK) use(frame);
 *
 * The frames do not depend on how the recording is cut into chunks, and equal those of the Python twin bit for bit
 * (edge_sv/device/); esv_fft.h says which of the two paths is compiled. */
#ifndef ESV_FEATURES_H
#define ESV_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "esv_fft.h"
#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if ESV_FEATURES_FIXED
typedef int32_t esv_features_value;  /* log-mel values, Q24 */
typedef int16_t esv_features_weight; /* Q15 */
typedef int32_t esv_features_scale;  /* Q16 */
#define ESV_FEATURES_LARGEST_INVERSE_SCALE (256 << 16)
#else
typedef float esv_features_value;
typedef float esv_features_weight;
typedef float esv_features_scale;
#define ESV_FEATURES_LARGEST_INVERSE_SCALE 256.0f
#endif

/* Constant settings and tables, made by edge_sv/device/tables.py.
 *
 * Mel triangles overlap so that a bin between the peaks of bands s - 1 and s adds its weight w to band s and 1 - w to
 * band s - 1. Stored are the rising weights w of all bins from first_bin on, and how many bins lie between two peaks.
 */
typedef struct {
    esv_fft_tables fft;
    uint16_t hop_length; /* samples from frame to frame */
    uint16_t num_mels;
    uint16_t first_bin;                /* of the lowest band */
    uint16_t prior_frames;             /* frames that mean_start counts for */
    uint16_t horizon_frames;           /* frames that the running mean counts at most; 0: the mean stays mean_start */
    const uint16_t *segment_bins;      /* (num_mels + 1) bins below the first peak, between peaks, above the last */
    const esv_features_weight *rising; /* (sum of segment_bins) */
    const esv_features_value *mean_start; /* (num_mels) */
    esv_fft_power floor;                  /* smallest mel power */
    esv_features_value log_offset;        /* integers: logarithm of one unit of mel power */
    esv_features_scale inverse_scale;     /* 1 / scale of the net's input */
    int16_t zero_point;                   /* of the net's input */
    int8_t low, high;                     /* what the clipped ends become */
} esv_features_config;

/* One front end; the caller's, to be used through the functions below. */
typedef struct {
    const esv_features_config *config;
    esv_fft_bin *bins;        /* (fft.size / 2) working memory between samples and frame */
    esv_features_value *mean; /* (num_mels) */
    int16_t *samples;         /* (window_length) */
    uint16_t filled;          /* samples that wait for their frame */
    uint16_t skip;            /* samples to drop: hops may be longer than windows */
    uint16_t counted;         /* frames in the mean */
} esv_features;

/* The memory that a front end needs, as a constant; a multiple of 16. */
#define ESV_FEATURES_BYTES(fft_size, window_length, num_mels)              \
    (ESV_FEATURES_ALIGN((size_t)(fft_size) / 2u * sizeof(esv_fft_bin)) +   \
     ESV_FEATURES_ALIGN((size_t)(num_mels) * sizeof(esv_features_value)) + \
     ESV_FEATURES_ALIGN(((size_t)(window_length) + 1u) * sizeof(int16_t)))
#define ESV_FEATURES_ALIGN(bytes) (((bytes) + 15u) & ~(size_t)15u)

/* Returns the memory that a front end needs; 0 when the configuration is impossible. */
size_t esv_features_bytes(const esv_features_config *config);

/* Prepares a front end for a recording. memory: 16-byte aligned, at least esv_features_bytes(config), the front end's
 * for as long as it is used. ESV_ERR_ARGUMENT, ESV_ERR_MEMORY, ESV_ERR_CONFIG. */
esv_status esv_features_init(esv_features *self, const esv_features_config *config, void *memory, size_t memory_bytes);

/* Starts a new recording: no samples wait, the mean is where it starts. */
void esv_features_reset(esv_features *self);

/* Takes samples until a frame is complete. pcm, num_samples: what is left to take, moved on by the call.
 * Returns ESV_OK when it wrote a frame (call again), ESV_MORE when it took all samples. frame: (num_mels). */
esv_status esv_features_next(esv_features *self, const int16_t **pcm, size_t *num_samples, int8_t *frame);

/* Turns the window of samples into a frame; esv_features_next calls it. frame: (num_mels). */
void esv_features_compute(esv_features *self, int8_t *frame);

#ifdef __cplusplus
}
#endif

#endif /* ESV_FEATURES_H */
