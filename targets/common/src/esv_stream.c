#include "esv_stream.h"

#include <string.h>

/* The counters at the start of a state. */
typedef struct {
    int32_t *made;   /* (num_tensors) rows made so far */
    int32_t *slot;   /* (num_tensors) where in its ring the next row goes */
    int32_t *total;  /* (num_tensors) rows in the end; INT32_MAX while the input lasts */
    int32_t *wanted; /* (num_reaches) rows that must be there for the next output row; the last of them is used */
} esv_stream_counters;

static esv_stream_counters esv_stream_open(const esv_stream *stream, void *state)
{
    esv_stream_counters counters;
    counters.made = (int32_t *)state;
    counters.slot = counters.made + stream->num_tensors;
    counters.total = counters.slot + stream->num_tensors;
    counters.wanted = counters.total + stream->num_tensors;
    return counters;
}

/* Where a row of a ring lies. */
static int8_t *esv_stream_row(void *state, const esv_stream_ring *ring, int32_t slot)
{
    return (int8_t *)state + ring->offset + (size_t)slot * ring->row_bytes;
}

/* Rows from the first tap to the last, both counted. */
static int32_t esv_stream_span(const esv_stream_reach *reach) { return (reach->taps - 1) * reach->dilation + 1; }

static int32_t esv_stream_rows_out(const esv_stream_reach *reach, int32_t rows_in)
{
    const int32_t last = rows_in + reach->above + reach->below - esv_stream_span(reach);
    if ((reach->flags & ESV_STREAM_SAME) != 0) {
        return (rows_in + reach->stride - 1) / reach->stride;
    }
    return last < 0 ? 0 : last / reach->stride + 1;
}

/* Rows of padding above the first row. */
static int32_t esv_stream_top(const esv_stream_reach *reach, int32_t rows_in)
{
    const int32_t covered = (esv_stream_rows_out(reach, rows_in) - 1) * reach->stride + esv_stream_span(reach);
    if ((reach->flags & ESV_STREAM_SAME) == 0) {
        return reach->above;
    }
    return covered > rows_in ? (covered - rows_in) / 2 : 0;
}

/* Fills in how many rows each tensor has when the input has `frames`. ESV_ERR_SHAPE: one has none, or an operator joins
 * tensors of different lengths. */
static esv_status esv_stream_count(const esv_stream *stream, uint32_t frames, int32_t *total)
{
    const esv_stream_reach *reach = stream->reaches;
    memset(total, 0, stream->num_tensors * sizeof *total);
    if (frames < stream->min_frames || frames > stream->max_frames) {
        return ESV_ERR_SHAPE;
    }
    total[0] = (int32_t)frames;
    for (uint8_t s = 0; s < stream->num_stages; ++s) {
        const esv_stream_stage *stage = &stream->stages[s];
        const int32_t rows = esv_stream_rows_out(reach, total[reach->tensor]);
        for (uint8_t i = 0; i < stage->num_inputs; ++i, ++reach) {
            if (rows == 0 || esv_stream_rows_out(reach, total[reach->tensor]) != rows) {
                return ESV_ERR_SHAPE;
            }
        }
        total[stage->output] = rows;
    }
    return ESV_OK;
}

static void esv_stream_advance(const esv_stream *stream, const esv_stream_counters *counters, uint8_t tensor)
{
    const int32_t next = counters->slot[tensor] + 1;
    counters->slot[tensor] = next == stream->rings[tensor].rows ? 0 : next;
    counters->made[tensor] += 1;
}

static int esv_stream_ready(const esv_stream_counters *counters, const esv_stream_stage *stage,
                            const esv_stream_reach *reach, const int32_t *wanted)
{
    for (uint8_t i = 0; i < stage->num_inputs; ++i) {
        const int32_t end = counters->total[reach[i].tensor];
        if ((wanted[i] < end ? wanted[i] : end) > counters->made[reach[i].tensor]) {
            return 0;
        }
    }
    return counters->made[stage->output] < counters->total[stage->output];
}

/* Points to the rows of one input, of which the first has number `row`. */
static void esv_stream_gather(const esv_stream *stream, const esv_stream_counters *counters,
                              const esv_stream_reach *reach, int32_t row, const int8_t *rows[])
{
    void *state = counters->made;
    const esv_stream_ring *ring = &stream->rings[reach->tensor];
    const int32_t made = counters->made[reach->tensor];
    const int32_t slot = counters->slot[reach->tensor];
    int8_t *pad = (int8_t *)state + stream->pad_offset;
    for (uint8_t tap = 0; tap < reach->taps; ++tap, row += reach->dilation) {
        if (row >= 0 && row < made) {
            const int32_t at = slot - (made - row); /* made - row: 1 to ring->rows */
            rows[tap] = esv_stream_row(state, ring, at < 0 ? at + ring->rows : at);
        } else if ((reach->flags & ESV_STREAM_FILL) != 0) {
            memset(pad, reach->pad_value, ring->row_bytes);
            rows[tap] = pad;
        } else {
            rows[tap] = NULL;
        }
    }
}

/* Makes one row of a stage. */
static void esv_stream_run(const esv_stream *stream, const esv_stream_counters *counters, const esv_stream_stage *stage,
                           const esv_stream_reach *reach, int32_t *wanted, const int8_t *rows[])
{
    void *state = counters->made;
    const int8_t **next = rows;
    for (uint8_t i = 0; i < stage->num_inputs; ++i) {
        esv_stream_gather(stream, counters, &reach[i], wanted[i] - esv_stream_span(&reach[i]), next);
        next += reach[i].taps;
        wanted[i] += reach[i].stride;
    }
    stage->run(rows, esv_stream_row(state, &stream->rings[stage->output], counters->slot[stage->output]),
               (uint8_t *)state + stream->scratch_offset);
    esv_stream_advance(stream, counters, stage->output);
}

/* Lets every stage make a row if it can. Returns whether one did. */
static int esv_stream_pass(const esv_stream *stream, const esv_stream_counters *counters, const int8_t *rows[])
{
    const esv_stream_reach *reach = stream->reaches;
    int32_t *wanted = counters->wanted;
    int moved = 0;
    for (uint8_t s = 0; s < stream->num_stages; ++s) {
        const esv_stream_stage *stage = &stream->stages[s];
        if (esv_stream_ready(counters, stage, reach, wanted)) {
            esv_stream_run(stream, counters, stage, reach, wanted, rows);
            moved = 1;
        }
        reach += stage->num_inputs;
        wanted += stage->num_inputs;
    }
    return moved;
}

esv_status esv_stream_begin(const esv_stream *stream, void *state, uint32_t frames)
{
    const esv_stream_counters counters = esv_stream_open(stream, state);
    const esv_status status = esv_stream_count(stream, frames, counters.total);
    for (uint16_t i = 0; i < stream->num_reaches; ++i) {
        const esv_stream_reach *reach = &stream->reaches[i];
        counters.wanted[i] = esv_stream_span(reach) - esv_stream_top(reach, counters.total[reach->tensor]);
    }
    for (uint8_t i = 0; i < stream->num_tensors; ++i) {
        counters.made[i] = 0;
        counters.slot[i] = 0;
        counters.total[i] = status == ESV_OK ? INT32_MAX : 0; /* 0: takes no frame */
    }
    return status;
}

esv_status esv_stream_push(const esv_stream *stream, void *state, const int8_t *frame, const int8_t *rows[])
{
    const esv_stream_counters counters = esv_stream_open(stream, state);
    if ((uint32_t)counters.made[0] >= stream->max_frames || counters.made[0] >= counters.total[0]) {
        return ESV_ERR_SHAPE;
    }
    memcpy(esv_stream_row(state, &stream->rings[0], counters.slot[0]), frame, stream->frame_bytes);
    esv_stream_advance(stream, &counters, 0);
    (void)esv_stream_pass(stream, &counters, rows);
    return ESV_OK;
}

/* Whether the padding above was right for the lengths that came out. */
static int esv_stream_top_was_right(const esv_stream *stream, const esv_stream_counters *counters)
{
    const esv_stream_reach *reach = stream->reaches;
    const int32_t *wanted = counters->wanted;
    for (uint8_t s = 0; s < stream->num_stages; ++s) {
        const esv_stream_stage *stage = &stream->stages[s];
        for (uint8_t i = 0; i < stage->num_inputs; ++i, ++reach, ++wanted) {
            const int32_t top = counters->made[stage->output] * reach->stride + esv_stream_span(reach) - *wanted;
            if (top != esv_stream_top(reach, counters->total[reach->tensor])) {
                return 0;
            }
        }
    }
    return 1;
}

esv_status esv_stream_finish(const esv_stream *stream, void *state, const int8_t *rows[])
{
    const esv_stream_counters counters = esv_stream_open(stream, state);
    if (esv_stream_count(stream, (uint32_t)counters.made[0], counters.total) != ESV_OK ||
        !esv_stream_top_was_right(stream, &counters)) {
        for (uint8_t i = 0; i < stream->num_tensors; ++i) {
            counters.total[i] = INT32_MAX; /* more frames may come */
        }
        return ESV_ERR_SHAPE;
    }
    while (esv_stream_pass(stream, &counters, rows)) {
    }
    return ESV_OK;
}

uint32_t esv_stream_rows(const void *state, uint8_t tensor) { return ((const uint32_t *)state)[tensor]; }
