/* Feeds utterances to a streaming net and writes what it answers.
 *
 * in:  (begun, frames, frames * mels values) for each utterance, numbers as uint32
 * out: (status of begin, push, finish, embedding) for each, statuses as int32
 *
 * The state is as large as the net says and holds rubbish before it begins, so that a sanitizer sees each step beyond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esv_model.h"

static int8_t frame[ESV_MODEL_NUM_MELS];
static int8_t embedding[ESV_MODEL_EMBEDDING_DIM];

int main(int argc, char *argv[])
{
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    void *state = aligned_alloc(16, ESV_MODEL_STATE_BYTES);
    uint32_t lengths[2]; /* begun, frames */
    if (in == NULL || out == NULL || state == NULL || esv_model.state_bytes != ESV_MODEL_STATE_BYTES) {
        return 2;
    }
    memset(state, 0xA5, ESV_MODEL_STATE_BYTES);
    while (fread(lengths, sizeof lengths, 1, in) == 1) {
        int32_t status[3] = {0, 0, 0}; /* begin, push, finish */
        if (lengths[0] == ESV_MODEL_FRAMES) {
            esv_model.begin(state);
        } else {
            status[0] = esv_model_begin_frames(state, lengths[0]);
        }
        for (uint32_t i = 0; i < lengths[1]; ++i) {
            if (fread(frame, sizeof frame, 1, in) != 1) {
                return 3;
            }
            if (status[1] == ESV_OK) {
                status[1] = esv_model.push(state, frame);
            }
        }
        memset(embedding, 0, sizeof embedding);
        status[2] = esv_model.finish(state, embedding);
        fwrite(status, sizeof status, 1, out);
        fwrite(embedding, sizeof embedding, 1, out);
    }
    free(state);
    return fclose(in) + fclose(out);
}
