#include "esv_segments.h"

#include <string.h>

#include "esv_embedding.h"
#include "esv_tensor.h"

/* frame: any of the last `frames`. Returns (num_mels). */
static int8_t *esv_segments_row(const esv_segments *self, uint32_t frame)
{
    return self->kept + (size_t)(frame % self->net->frames) * self->net->num_mels;
}

/* Starts a segment with the kept frames from `first` to the newest. */
static esv_status esv_segments_start(esv_segments *self, uint32_t first)
{
    esv_status status = ESV_OK;
    self->net->begin(self->state);
    self->running = true;
    for (uint32_t frame = first; frame < self->count && status == ESV_OK; ++frame) {
        status = self->net->push(self->state, esv_segments_row(self, frame));
    }
    return status;
}

/* Ends a segment and adds its length-normalized embedding to the sum. */
static esv_status esv_segments_add(esv_segments *self)
{
    const esv_net *net = self->net;
    const esv_tensor_grid grid = {net->output_scale, net->output_zero_point};
    const esv_status status = net->finish(self->state, self->output);
    self->running = false;
    if (status == ESV_OK) {
        esv_tensor_dequantize(self->output, net->embedding_dim, grid, self->segment);
        esv_embedding_normalize(self->segment, net->embedding_dim);
        esv_embedding_add(self->sum, self->segment, net->embedding_dim);
    }
    return status;
}

size_t esv_segments_bytes(const esv_net *net)
{
    return ESV_SEGMENTS_BYTES(net->state_bytes, net->frames, net->num_mels, net->embedding_dim);
}

esv_status esv_segments_init(esv_segments *self, const esv_net *net, uint16_t hop_frames, void *memory,
                             size_t memory_bytes)
{
    if (self == NULL || net == NULL || memory == NULL || hop_frames == 0 || net->frames == 0) {
        return ESV_ERR_ARGUMENT;
    }
    if ((uintptr_t)memory % 16 != 0 || memory_bytes < esv_segments_bytes(net)) {
        return ESV_ERR_MEMORY;
    }
    uint8_t *at = (uint8_t *)memory;
    const size_t floats = ESV_ALIGN_UP(net->embedding_dim * sizeof(float));
    self->net = net;
    self->hop_frames = hop_frames;
    self->state = at;
    at += ESV_ALIGN_UP(net->state_bytes);
    self->segment = (float *)(void *)at;
    self->sum = (float *)(void *)(at + floats);
    at += 2 * floats;
    self->kept = (int8_t *)at;
    self->output = (int8_t *)(at + ESV_ALIGN_UP((size_t)net->frames * net->num_mels));
    esv_segments_begin(self);
    return ESV_OK;
}

void esv_segments_begin(esv_segments *self)
{
    memset(self->sum, 0, self->net->embedding_dim * sizeof(float));
    self->count = 0;
    self->start = 0;
    self->running = false;
}

esv_status esv_segments_push(esv_segments *self, const int8_t *frame)
{
    esv_status status = ESV_OK;
    int8_t *row = esv_segments_row(self, self->count++);
    memcpy(row, frame, self->net->num_mels);
    if (self->running) {
        status = self->net->push(self->state, row);
    } else if (self->count > self->start) { /* not before: a hop longer than a segment leaves frames out */
        status = esv_segments_start(self, self->start);
    }
    if (status == ESV_OK && self->count == self->start + self->net->frames) {
        self->start += self->hop_frames;
        status = esv_segments_add(self);
    }
    return status;
}

esv_status esv_segments_finish(esv_segments *self, float *embedding)
{
    const uint32_t frames = self->net->frames;
    const uint32_t count = self->count;
    esv_status status = ESV_OK;
    if (count == 0) {
        return ESV_ERR_TOO_SHORT;
    }
    if (count < frames) {
        for (uint32_t frame = count; frame < frames && status == ESV_OK; ++frame) {
            status = self->net->push(self->state, esv_segments_row(self, frame % count));
        }
        status = status == ESV_OK ? esv_segments_add(self) : status;
    } else if (self->start - self->hop_frames != count - frames) { /* the last segment does not reach the end */
        status = esv_segments_start(self, count - frames);
        status = status == ESV_OK ? esv_segments_add(self) : status;
    }
    if (status == ESV_OK) {
        memcpy(embedding, self->sum, self->net->embedding_dim * sizeof(float));
        esv_embedding_normalize(embedding, self->net->embedding_dim);
    }
    return status;
}
