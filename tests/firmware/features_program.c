/* Runs the front end on a file of samples and writes the frames to another; prints instructions.
 *
 *     program IN.pcm OUT.frames */
#include "emulator.h"
#include "esv_align.h"
#include "esv_features.h"

#define CHUNK 160

extern const esv_features_config test_features;

ESV_ALIGNED(16) static uint8_t memory[4096];

int main(int argc, char *argv[])
{
    static int16_t chunk[CHUNK];
    static int8_t frame[256];
    esv_features features;
    if (argc != 3 || test_features.num_mels > sizeof frame) {
        return 1;
    }
    if (esv_features_init(&features, &test_features, memory, sizeof memory) != ESV_OK) {
        return 2;
    }
    const int in = emulator_open_read(argv[1]);
    const int out = emulator_open_write(argv[2]);
    uint64_t counts = 0;
    for (size_t left = emulator_length(in) / sizeof chunk[0]; left > 0;) {
        size_t num_samples = left < CHUNK ? left : CHUNK;
        left -= num_samples;
        emulator_read(in, chunk, num_samples * sizeof chunk[0]);
        const int16_t *pcm = chunk;
        for (;;) {
            const uint64_t start = emulator_counts();
            const esv_status status = esv_features_next(&features, &pcm, &num_samples, frame);
            counts += emulator_counts() - start;
            if (status != ESV_OK) {
                break;
            }
            emulator_write_bytes(out, frame, test_features.num_mels);
        }
    }
    emulator_write_decimal(emulator_to_instructions(counts));
    return 0;
}
