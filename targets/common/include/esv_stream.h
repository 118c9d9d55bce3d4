/* Runs the row operators of a net as frames arrive: the engine of a streaming plan.
 *
 * Each tensor has a ring of the few rows that its readers still need. A push adds one input row; then every stage, in
 * order, makes at most one output row, if the rows it needs are there. When the input has ended the same passes run on
 * with padding below the last rows. Tables come from generated code, which also ends the net: esv_net's finish calls
 * esv_stream_finish, then whatever follows the pooling. */
#ifndef ESV_STREAM_H
#define ESV_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ESV_STREAM_SAME = 1, /* padded as TensorFlow's SAME: by the number of rows; else by above and below */
    ESV_STREAM_FILL = 2  /* a padded row holds pad_value; else its pointer is null */
};

/* Which rows of a tensor an output row is made from: row * stride - top + tap * dilation. */
typedef struct {
    uint8_t tensor;
    uint8_t taps;
    uint8_t stride;
    uint8_t dilation;
    uint8_t above;
    uint8_t below;
    uint8_t flags;
    int8_t pad_value;
} esv_stream_reach;

typedef struct {
    uint32_t offset;    /* in the state */
    uint32_t row_bytes; /* a multiple of 4 */
    int32_t rows;       /* that it holds */
} esv_stream_ring;

typedef struct {
    /* rows: (taps of all inputs, one input behind the other); out: one row; scratch: as large as the kernel asks. */
    void (*run)(const int8_t *const rows[], int8_t *out, void *scratch);
    uint8_t num_inputs; /* the next so many of esv_stream.reaches */
    uint8_t output;     /* tensor */
} esv_stream_stage;

typedef struct {
    const esv_stream_ring *rings;    /* (num_tensors); 0 is the input */
    const esv_stream_stage *stages;  /* (num_stages) in the order they run */
    const esv_stream_reach *reaches; /* (num_reaches) */
    uint8_t num_tensors;
    uint8_t num_stages;
    uint16_t num_reaches;
    uint32_t frame_bytes; /* of one input row */
    uint32_t min_frames;
    uint32_t max_frames;     /* beyond it the sums of the pooling might overflow */
    uint32_t pad_offset;     /* in the state: room for one row of padding */
    uint32_t scratch_offset; /* in the state, aligned to 8 */
} esv_stream;

/* Bytes at the start of a state that the engine keeps its counters in. */
#define ESV_STREAM_COUNTER_BYTES(num_tensors, num_reaches) (4u * (3u * (num_tensors) + (num_reaches)))

/* Starts an utterance of `frames` frames. Another number may be pushed where that leaves the padding above the first
 * rows as it is: a SAME operator with stride s pads by the number of its input rows modulo s. ESV_ERR_SHAPE: too few
 * or too many frames. state: aligned to 16. */
esv_status esv_stream_begin(const esv_stream *stream, void *state, uint32_t frames);

/* Takes one frame and runs what it makes possible. ESV_ERR_SHAPE: more than max_frames. frame: (frame_bytes); rows:
 * room for the most taps that a stage has. */
esv_status esv_stream_push(const esv_stream *stream, void *state, const int8_t *frame, const int8_t *rows[]);

/* Runs what remains when the last frame has been pushed. ESV_ERR_SHAPE: too few frames, or a number that is padded
 * otherwise than the one begun with. */
esv_status esv_stream_finish(const esv_stream *stream, void *state, const int8_t *rows[]);

/* How many rows of a tensor have been made. */
uint32_t esv_stream_rows(const void *state, uint8_t tensor);

#ifdef __cplusplus
}
#endif

#endif /* ESV_STREAM_H */
