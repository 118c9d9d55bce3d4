/* Runs the convolutions of a file on a board and writes what they compute; see tests/conv_cases.py for the file.
 *
 * For each case: the numbers of esv_conv_cases_header, then weights, codebook, bias, multiplier, shift and input, each
 * padded to a multiple of 4. Answers: the outputs, one behind the other, in out.bin; instructions of each case as text.
 */
#include "emulator.h"
#include "esv_conv.h"
#include "esv_depthwise.h"

#ifndef MEMORY_BYTES
#define MEMORY_BYTES (3u << 20)
#endif
#define MAX_TAPS 64

typedef struct {
    uint32_t bytes; /* of the whole case */
    uint32_t depthwise;
    uint32_t in_height, out_height, stride_height, dilation_height, pad_top;
    uint32_t in_width, in_channels, out_width, out_channels, kernel_height, kernel_width, stride_width, dilation_width;
    uint32_t pad_left, tile_width, weight_bits, codebook_stride;
    int32_t input_zero_point, output_zero_point, activation_min, activation_max;
    uint32_t sizes[6]; /* weights, codebook, bias, multiplier, shift, input: bytes */
    uint32_t scratch_bytes;
} conv_case;

static uint64_t memory[MEMORY_BYTES / 8]; /* a case, padding, output, scratch */

static const void *take(const uint8_t **at, uint32_t bytes)
{
    const void *found = bytes == 0 ? NULL : *at;
    *at += (bytes + 3u) & ~3u;
    return found;
}

static void run_rows(const conv_case *c, const void *params, const int8_t *in, int8_t *pad, int8_t *out, void *scratch)
{
    const int8_t *rows[MAX_TAPS];
    const uint32_t row_bytes = c->in_width * c->in_channels;
    for (uint32_t i = 0; i < row_bytes; ++i) {
        pad[i] = (int8_t)c->input_zero_point;
    }
    for (uint32_t y = 0; y < c->out_height; ++y) {
        for (uint32_t tap = 0; tap < c->kernel_height; ++tap) {
            const int32_t at = (int32_t)(y * c->stride_height + tap * c->dilation_height) - (int32_t)c->pad_top;
            rows[tap] = at < 0 || at >= (int32_t)c->in_height ? pad : in + (uint32_t)at * row_bytes;
        }
        if (c->depthwise) {
            esv_depthwise_s8((const esv_depthwise_params *)params, rows, out, scratch);
        } else {
            esv_conv_s8((const esv_conv_params *)params, rows, out, scratch);
        }
        out += c->out_width * c->out_channels;
    }
}

static int run_case(const conv_case *c, const uint8_t *at, uint8_t *room, int out_file)
{
    const void *weights = take(&at, c->sizes[0]);
    const int8_t *codebook = (const int8_t *)take(&at, c->sizes[1]);
    const int32_t *bias = (const int32_t *)take(&at, c->sizes[2]);
    const int32_t *multiplier = (const int32_t *)take(&at, c->sizes[3]);
    const int8_t *shift = (const int8_t *)take(&at, c->sizes[4]);
    const int8_t *in = (const int8_t *)take(&at, c->sizes[5]);
    const esv_conv_params conv = {(uint16_t)c->in_width,
                                  (uint16_t)c->in_channels,
                                  (uint16_t)c->out_width,
                                  (uint16_t)c->out_channels,
                                  (uint16_t)c->kernel_height,
                                  (uint16_t)c->kernel_width,
                                  (uint16_t)c->stride_width,
                                  (uint16_t)c->dilation_width,
                                  (uint16_t)c->pad_left,
                                  (uint16_t)c->tile_width,
                                  (int8_t)c->input_zero_point,
                                  (int8_t)c->output_zero_point,
                                  (int8_t)c->activation_min,
                                  (int8_t)c->activation_max,
                                  (uint8_t)c->weight_bits,
                                  (uint8_t)c->codebook_stride,
                                  weights,
                                  codebook,
                                  bias,
                                  multiplier,
                                  shift};
    const esv_depthwise_params depthwise = {(uint16_t)c->in_width,
                                            (uint16_t)c->in_channels,
                                            (uint16_t)c->out_width,
                                            (uint16_t)(c->out_channels / c->in_channels),
                                            (uint16_t)c->kernel_height,
                                            (uint16_t)c->kernel_width,
                                            (uint16_t)c->stride_width,
                                            (uint16_t)c->dilation_width,
                                            (uint16_t)c->pad_left,
                                            (uint16_t)c->tile_width,
                                            (int8_t)c->input_zero_point,
                                            (int8_t)c->output_zero_point,
                                            (int8_t)c->activation_min,
                                            (int8_t)c->activation_max,
                                            (const int8_t *)weights,
                                            bias,
                                            multiplier,
                                            shift};
    const uint32_t out_bytes = c->out_height * c->out_width * c->out_channels;
    uint8_t *const pad = room;
    uint8_t *const out = pad + ((c->in_width * c->in_channels + 7u) & ~7u);
    uint8_t *const scratch = out + ((out_bytes + 7u) & ~7u);
    if (scratch + c->scratch_bytes + 16 > (uint8_t *)memory + sizeof memory) {
        emulator_write("a case does not fit\n");
        return 1;
    }
    if ((c->depthwise ? esv_depthwise_scratch_bytes(&depthwise) : esv_conv_scratch_bytes(&conv)) != c->scratch_bytes) {
        emulator_write("scratch differs\n");
        return 1;
    }
    for (uint32_t i = 0; i < 16; ++i) {
        scratch[c->scratch_bytes + i] = 0xA5;
    }
    const uint64_t start = emulator_instructions();
    const void *params = c->depthwise ? (const void *)&depthwise : (const void *)&conv;
    run_rows(c, params, in, (int8_t *)pad, (int8_t *)out, scratch);
    emulator_write_decimal(emulator_instructions() - start);
    emulator_write("\n");
    for (uint32_t i = 0; i < 16; ++i) {
        if (scratch[c->scratch_bytes + i] != 0xA5) {
            emulator_write("scratch overrun\n");
            return 1;
        }
    }
    return emulator_write_bytes(out_file, out, out_bytes) == out_bytes ? 0 : 1;
}

int main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    const int in_file = emulator_open_read("cases.bin");
    const int out_file = emulator_open_write("out.bin");
    const size_t length = emulator_length(in_file);
    int failed = 0;
    for (size_t at = 0; at < length && !failed;) {
        conv_case c;
        const size_t header = emulator_read(in_file, &c, sizeof c);
        const size_t room = ((c.bytes - header) + 7u) & ~(size_t)7u;
        if (room > sizeof memory || emulator_read(in_file, memory, c.bytes - header) != c.bytes - header) {
            emulator_write("a case does not fit\n");
            return 1;
        }
        failed = run_case(&c, (const uint8_t *)memory, (uint8_t *)memory + room, out_file);
        at += c.bytes;
    }
    emulator_close(out_file);
    return failed;
}
