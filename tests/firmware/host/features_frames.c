/* Runs a front end on the samples of standard input, cut into chunks, and writes the frames to standard output.
 *
 *     features_frames CONFIG ROUNDS CHUNK [CHUNK ...]
 *
 * CONFIG counts `test_configs`; ROUNDS recordings, all the same, with a reset between them; the chunk sizes repeat.
 * Every chunk, and the front end's memory, is a block of its own, so that AddressSanitizer sees a step beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esv_features.h"

extern const esv_features_config *const test_configs[];

static void write_frames(esv_features *features, const int16_t *chunk, size_t count, int8_t *frame)
{
    const int16_t *pcm = chunk;
    while (esv_features_next(features, &pcm, &count, frame) == ESV_OK) {
        fwrite(frame, 1, features->config->num_mels, stdout);
    }
    if (count != 0) {
        exit(3);
    }
}

static void run(esv_features *features, const int16_t *pcm, size_t num_samples, char *const sizes[], int num_sizes)
{
    int8_t *frame = (int8_t *)malloc(features->config->num_mels);
    size_t done = 0;
    for (int turn = 0; done < num_samples; turn = (turn + 1) % num_sizes) {
        size_t count = (size_t)strtoul(sizes[turn], NULL, 10);
        count = count < num_samples - done ? count : num_samples - done;
        int16_t *chunk = (int16_t *)malloc(count * sizeof *chunk + (count == 0));
        memcpy(chunk, pcm + done, count * sizeof *chunk);
        write_frames(features, chunk, count, frame);
        free(chunk);
        done += count;
    }
    free(frame);
}

static int16_t *read_samples(size_t *num_samples)
{
    size_t room = 1 << 16;
    int16_t *pcm = (int16_t *)malloc(room * sizeof *pcm);
    for (size_t got; (got = fread(pcm + *num_samples, sizeof *pcm, room - *num_samples, stdin)) > 0;) {
        *num_samples += got;
        if (*num_samples == room) {
            room *= 2;
            pcm = (int16_t *)realloc(pcm, room * sizeof *pcm);
        }
    }
    return pcm;
}

int main(int argc, char *argv[])
{
    if (argc < 4) {
        return 2;
    }
    const esv_features_config *config = test_configs[atoi(argv[1])];
    const size_t bytes = esv_features_bytes(config);
    void *memory = malloc(bytes); /* 16-byte aligned on the computers that run this */
    memset(memory, 0x5a, bytes);
    esv_features features;
    const esv_status status = esv_features_init(&features, config, memory, bytes);
    if (status != ESV_OK) {
        fprintf(stderr, "%s\n", esv_status_text(status));
        return 4;
    }
    size_t num_samples = 0;
    int16_t *pcm = read_samples(&num_samples);
    for (int round = atoi(argv[2]); round > 0; --round) {
        run(&features, pcm, num_samples, argv + 3, argc - 3);
        esv_features_reset(&features);
    }
    free(pcm);
    free(memory);
    return 0;
}
