/* Speaker verification on a device: samples in, "is it that voice?" out.
 *
 *     ESV_ALIGNED(16) static uint8_t memory[...];       esv_bytes(&config), or ESV_BYTES(...) for the compiler
 *     esv *device;
 *     esv_init(&device, &config, memory, sizeof memory);
 *
 *     esv_begin(device);                                a recording
 *     while (it speaks) esv_feed(device, pcm, count);   chunks of any size
 *     esv_finish(device, NULL);                         its embedding stays inside
 *     esv_enroll(device, "ada", NULL);                  three or more recordings make a good print
 *
 *     esv_begin, esv_feed, esv_finish;
 *     esv_verify(device, "ada", &decision);
 *
 * The embedding is, bit for bit, that of the same C on the desktop; how near it is to the desktop's float front end,
 * the package's manifest says. One device runs in one thread. esv_status_text gives any status in words.
 *
 * A print is biometric data: it is in no line and no log, and leaves this library only as what esv_finish gives to a
 * caller who asks for it. */
#ifndef ESV_H
#define ESV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esv_align.h"
#include "esv_features.h"
#include "esv_gate.h"
#include "esv_net.h"
#include "esv_port.h"
#include "esv_score.h"
#include "esv_segments.h"
#include "esv_status.h"
#include "esv_store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_VERSION "0.1.0"

typedef struct esv esv;

/* What it points to must last as long as the device is used. */
typedef struct {
    const esv_net *net;
    const esv_features_config *features;
    const esv_port *port;           /* null: no flash, no key */
    const esv_score_cohort *cohort; /* null: scores are cosines, else AS-norm */
    uint16_t top_n;                 /* nearest cohort speakers that AS-norm uses */
    uint16_t hop_frames;            /* from one segment's start to the next */
    float threshold;                /* lowest score that is accepted */
    esv_gate_config gate;
} esv_config;

typedef struct {
    float score;
    float threshold;
    bool accepted; /* score >= threshold */
} esv_decision;

/* Bytes of memory that esv_init takes, known to the compiler; esv_bytes never tells more.
 * features_bytes: what esv_features_bytes tells. top_n: 0 without a cohort. */
#define ESV_BYTES(net_state_bytes, features_bytes, frames, num_mels, dim, top_n)                                     \
    (ESV_OBJECT_BYTES + ESV_ALIGN_UP((size_t)(features_bytes)) + ESV_ALIGN_UP((size_t)(num_mels)) +                  \
     ESV_SEGMENTS_BYTES(net_state_bytes, frames, num_mels, dim) + 2u * ESV_ALIGN_UP((size_t)(dim) * sizeof(float)) + \
     ESV_ALIGN_UP((size_t)(top_n) * sizeof(float)) + ESV_STORE_BYTES(dim))
#define ESV_OBJECT_BYTES 704u

/* Returns the bytes of memory that esv_init takes; 0 when the configuration is impossible. */
size_t esv_bytes(const esv_config *config);

/* Prepares a device in memory (16-byte aligned) and reads its prints' place on flash. A store that is damaged or
 * another model's is no error here: esv_measure and whatever needs a print tell. ESV_ERR_ARGUMENT, _MEMORY, _CONFIG. */
esv_status esv_init(esv **self, const esv_config *config, void *memory, size_t memory_bytes);

/* Starts a recording; one that was not finished is forgotten. */
esv_status esv_begin(esv *self);

/* Takes samples of the recording. pcm: (count), at the model's sample rate. */
esv_status esv_feed(esv *self, const int16_t *pcm, size_t count);

/* Ends the recording and keeps its embedding for esv_enroll and esv_verify. ESV_ERR_SILENT, ESV_ERR_TOO_SHORT and
 * ESV_ERR_CLIPPED refuse it. embedding: (embedding_dim), of length 1; or null. */
esv_status esv_finish(esv *self, float *embedding);

/* Adds the finished recording to the print of that name, which begins with it if there was none, and commits it to
 * flash; a recording is enrolled once. recordings: how many the print is now made of; or null. */
esv_status esv_enroll(esv *self, const char *name, uint32_t *recordings);

/* Compares the finished recording with a print. */
esv_status esv_verify(esv *self, const char *name, esv_decision *decision);

/* Tells the prints one by one; cursor starts at 0. ESV_ERR_NO_PRINT after the last one. */
esv_status esv_next(esv *self, uint32_t *cursor, esv_store_print *print);

/* Erases a print, null: all prints, from the flash. */
esv_status esv_wipe(esv *self, const char *name);

/* Tells how full the store is, and answers the store's own status. */
esv_status esv_measure(esv *self, esv_store_usage *usage);

float esv_threshold(const esv *self);

/* Sets the lowest score that is accepted, until the next esv_init. ESV_ERR_ARGUMENT: it is not finite. */
esv_status esv_set_threshold(esv *self, float threshold);

const esv_config *esv_configuration(const esv *self);

const char *esv_version(void);

#ifdef __cplusplus
}
#endif

#endif /* ESV_H */
