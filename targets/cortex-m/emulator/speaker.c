/* The program of the emulated board for a speaker package. Words:
 *
 *     vectors N          runs the net on N segments of input.bin; writes output.bin
 *     embed FILE         embeds a recording; writes frames.bin (what went into the net, segment by segment),
 *                        output.bin (what came out of it) and embedding.bin
 *     measure FILE       counts a recording's instructions: with the net, and with a net that does nothing
 *     talk FILE          receives the file's bytes as a board does those of its serial line: docs/protocol.md
 *
 * Recordings are raw 16-bit PCM. */
#include <string.h>

#include "board_port.h"
#include "emulator.h"
#include "speaker_product.h"

#define CHUNK_SAMPLES 1600

static int16_t emulator_chunk[CHUNK_SAMPLES];
static esv_config emulator_config; /* the device refers to it */
static int emulator_frames_file = -1;
static int emulator_output_file = -1;
static size_t emulator_segments; /* written */

static int emulator_failed(esv_status status)
{
    if (status != ESV_OK) {
        emulator_write("error ");
        emulator_write(esv_status_text(status));
        emulator_write("\n");
    }
    return status != ESV_OK;
}

/* A net that passes everything on and writes it down; a segment that is begun anew is written anew. */
static void emulator_begin(void *state)
{
    emulator_seek(emulator_frames_file, emulator_segments * NET.frames * NET.num_mels);
    NET.begin(state);
}

static esv_status emulator_push(void *state, const int8_t *frame)
{
    (void)emulator_write_bytes(emulator_frames_file, frame, NET.num_mels);
    return NET.push(state, frame);
}

static esv_status emulator_finish(void *state, int8_t *embedding)
{
    const esv_status status = NET.finish(state, embedding);
    (void)emulator_write_bytes(emulator_output_file, embedding, NET.embedding_dim);
    ++emulator_segments;
    return status;
}

/* A net that does nothing: what is left is the front end, and the cutting into segments. */
static void emulator_begin_nothing(void *state) { (void)state; }

static esv_status emulator_push_nothing(void *state, const int8_t *frame)
{
    (void)state;
    (void)frame;
    return ESV_OK;
}

static esv_status emulator_finish_nothing(void *state, int8_t *embedding)
{
    (void)state;
    memset(embedding, 1, NET.embedding_dim);
    return ESV_OK;
}

static esv_status emulator_prepare(esv **device, const esv_net *net, const esv_port *port)
{
    const esv_config wanted = NET_CONSTANT(_CONFIG)(port);
    emulator_config = wanted;
    emulator_config.net = net;
    return esv_init(device, &emulator_config, device_memory, NET_CONSTANT(_MEMORY_BYTES));
}

/* Feeds a file; counts: what the library's functions took. */
static esv_status emulator_embed(esv *device, const char *path, float *embedding, uint64_t *counts)
{
    const int file = emulator_open_read(path);
    uint64_t before = emulator_counts();
    esv_status status = esv_begin(device);
    *counts += emulator_counts() - before;
    for (;;) {
        const size_t samples = emulator_read(file, emulator_chunk, sizeof emulator_chunk) / sizeof *emulator_chunk;
        if (samples == 0 || status != ESV_OK) {
            break;
        }
        before = emulator_counts();
        status = esv_feed(device, emulator_chunk, samples);
        *counts += emulator_counts() - before;
    }
    before = emulator_counts();
    if (status == ESV_OK) {
        status = esv_finish(device, embedding);
    }
    *counts += emulator_counts() - before;
    emulator_close(file);
    return status;
}

static int emulator_run_vectors(const char *digits)
{
    int8_t values[NET_CONSTANT(_NUM_MELS) + NET_CONSTANT(_EMBEDDING_DIM)]; /* a frame, or an embedding */
    const int in = emulator_open_read("input.bin");
    const int out = emulator_open_write("output.bin");
    esv_status status = ESV_OK;
    size_t segments = 0;
    for (; *digits >= '0' && *digits <= '9'; ++digits) {
        segments = segments * 10u + (size_t)(*digits - '0');
    }
    for (; segments > 0 && status == ESV_OK; --segments) {
        NET.begin(device_memory);
        for (size_t frame = 0; frame < NET.frames && status == ESV_OK; ++frame) {
            (void)emulator_read(in, values, NET.num_mels);
            status = NET.push(device_memory, values);
        }
        if (status == ESV_OK) {
            status = NET.finish(device_memory, values);
        }
        (void)emulator_write_bytes(out, values, NET.embedding_dim);
    }
    return emulator_failed(status);
}

static int emulator_run_embed(const char *path)
{
    esv_net net = NET;
    esv *device;
    float embedding[NET_CONSTANT(_EMBEDDING_DIM)];
    uint64_t counts = 0;
    net.begin = emulator_begin;
    net.push = emulator_push;
    net.finish = emulator_finish;
    emulator_frames_file = emulator_open_write("frames.bin");
    emulator_output_file = emulator_open_write("output.bin");
    if (emulator_failed(emulator_prepare(&device, &net, NULL)) ||
        emulator_failed(emulator_embed(device, path, embedding, &counts))) {
        return 1;
    }
    const int file = emulator_open_write("embedding.bin");
    (void)emulator_write_bytes(file, embedding, NET.embedding_dim * sizeof *embedding);
    emulator_close(file);
    return 0;
}

static int emulator_count(const char *name, const esv_net *net, const char *path)
{
    esv *device;
    uint64_t counts = 0;
    if (emulator_failed(emulator_prepare(&device, net, NULL))) {
        return 1;
    }
    if (emulator_failed(emulator_embed(device, path, NULL, &counts))) {
        return 1;
    }
    emulator_write(name);
    emulator_write_decimal(emulator_to_instructions(counts));
    emulator_write("\n");
    return 0;
}

static int emulator_run_measure(const char *path)
{
    esv_net nothing = NET;
    nothing.begin = emulator_begin_nothing;
    nothing.push = emulator_push_nothing;
    nothing.finish = emulator_finish_nothing;
    emulator_stack_paint();
    if (emulator_count("total ", &NET, path) || emulator_count("features ", &nothing, path)) {
        return 1;
    }
    emulator_write_operators();
    return 0;
}

static int emulator_run_talk(const char *path)
{
    uint8_t bytes[256];
    esv *device;
    const esv_port *const port = board_port();
    const int file = emulator_open_read(path);
    if (emulator_failed(emulator_prepare(&device, &NET, port)) ||
        emulator_failed(esv_protocol_init(&device_protocol, device, port))) {
        return 1;
    }
    emulator_stack_paint();
    for (;;) {
        const size_t count = emulator_read(file, bytes, sizeof bytes);
        if (count == 0) {
            return 0;
        }
        esv_protocol_receive(&device_protocol, bytes, count);
    }
}

int main(int argc, char *argv[])
{
    if (argc < 3) {
        return 2;
    }
    switch (argv[1][0]) {
    case 'v':
        return emulator_run_vectors(argv[2]);
    case 'e':
        return emulator_run_embed(argv[2]);
    case 'm':
        return emulator_run_measure(argv[2]);
    default:
        return emulator_run_talk(argv[2]);
    }
}
