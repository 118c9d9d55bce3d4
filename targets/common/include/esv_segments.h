/* How a recording of any length meets a net with a fixed number of frames: frames in, one embedding out.
 *
 * The rule is that of edge_sv/segments.py: segments start every hop_frames; when the last one leaves frames uncovered,
 * one more is taken from the recording's end; a recording shorter than a segment is repeated from its start. Frames go
 * into the net as they come; the last `frames` of them are kept, for what segments share and for the end.
 *
 *     esv_segments_init(&segments, &net, hop_frames, memory, sizeof memory);
 *     esv_segments_begin(&segments);
 *     for each frame: status = esv_segments_push(&segments, frame);
 *     status = esv_segments_finish(&segments, embedding); */
#ifndef ESV_SEGMENTS_H
#define ESV_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esv_align.h"
#include "esv_net.h"
#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of memory that esv_segments_init takes, known to the compiler. */
#define ESV_SEGMENTS_BYTES(net_state_bytes, frames, num_mels, dim)                           \
    (ESV_ALIGN_UP((size_t)(net_state_bytes)) + ESV_ALIGN_UP((size_t)(frames) * (num_mels)) + \
     2u * ESV_ALIGN_UP((size_t)(dim) * sizeof(float)) + ESV_ALIGN_UP((size_t)(dim)))

/* All fields are its own. */
typedef struct {
    const esv_net *net;
    void *state;    /* (net->state_bytes) */
    int8_t *kept;   /* (frames, num_mels): frame t lies in row t % frames */
    int8_t *output; /* (embedding_dim) */
    float *segment; /* (embedding_dim) */
    float *sum;     /* (embedding_dim) of the segments so far */
    uint32_t count; /* frames so far */
    uint32_t start; /* first frame of the segment to be filled */
    uint16_t hop_frames;
    bool running; /* the net has begun that segment */
} esv_segments;

size_t esv_segments_bytes(const esv_net *net);

/* memory: 16-byte aligned, at least esv_segments_bytes(net), the segments' for as long as they are used. */
esv_status esv_segments_init(esv_segments *self, const esv_net *net, uint16_t hop_frames, void *memory,
                             size_t memory_bytes);

/* Starts a recording. */
void esv_segments_begin(esv_segments *self);

/* Takes a frame. frame: (num_mels). */
esv_status esv_segments_push(esv_segments *self, const int8_t *frame);

/* Ends the recording: its embedding of length 1. ESV_ERR_TOO_SHORT: there was no frame. embedding: (embedding_dim). */
esv_status esv_segments_finish(esv_segments *self, float *embedding);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SEGMENTS_H */
