/* Runs a net by TensorFlow Lite Micro, behind the package's own glue, on the segments of input.bin; their outputs, one
 * after the other, are then in output.bin. */
#include "emulator.h"
#include "esv_model.h"

#define SEGMENT_BYTES ((size_t)ESV_MODEL_FRAMES * ESV_MODEL_NUM_MELS)

extern uint8_t device_memory[];

/* What C++ and the C library ask of a system: one program, and no memory to allocate. */
extern void *__dso_handle;
void *__dso_handle;
void *_sbrk(ptrdiff_t bytes);
void _exit(int code) __attribute__((noreturn));

void *_sbrk(ptrdiff_t bytes)
{
    (void)bytes;
    return (void *)-1;
}

void _exit(int code)
{
    emulator_write("emulator: the C library gave up; it has no heap here\n");
    emulator_exit(code);
}

static void emulator_write_figure(const char *name, uint64_t value)
{
    emulator_write(name);
    emulator_write_decimal(value);
    emulator_write("\n");
}

int main(int argc, char *argv[])
{
    static int8_t input[SEGMENT_BYTES]; /* (ESV_MODEL_FRAMES, ESV_MODEL_NUM_MELS) */
    static int8_t output[ESV_MODEL_EMBEDDING_DIM];
    esv_model *model;
    uint64_t counts = 0;
    (void)argc;
    (void)argv;
    const int segments = emulator_open_read("input.bin");
    const int outputs = emulator_open_write("output.bin");
    esv_status status = esv_model_init(&model, device_memory, ESV_MODEL_MEMORY_BYTES);
    while (status == ESV_OK && emulator_read(segments, input, sizeof input) == sizeof input) {
        const uint64_t before = emulator_counts();
        status = esv_model_run(model, input, output);
        counts += emulator_counts() - before;
        (void)emulator_write_bytes(outputs, output, sizeof output);
    }
    if (status != ESV_OK) {
        emulator_write("error ");
        emulator_write(esv_status_text(status));
        emulator_write("\n");
        return 1;
    }
    emulator_write_figure("inference ", emulator_to_instructions(counts));
    emulator_write_figure("arena ", esv_model_arena_used(model));
    return 0;
}
