/* Its net and front end are those that DEVICE_NET and DEVICE_FEATURES name. */
#include "device.h"

#include <string.h>

#ifndef DEVICE_NET
#define DEVICE_NET tiny_net
#endif
#ifndef DEVICE_FEATURES
#define DEVICE_FEATURES tiny_features
#endif
#ifndef DEVICE_HOP_FRAMES
#define DEVICE_HOP_FRAMES 10
#endif
#ifndef DEVICE_MEMORY_BYTES
#define DEVICE_MEMORY_BYTES 65536u
#endif
#ifndef DEVICE_HEARS
#define DEVICE_HEARS 20000u
#endif
#define DEVICE_TOP_N 3
#define ANSWER_BYTES 65536u

extern const esv_net DEVICE_NET;
extern const esv_features_config DEVICE_FEATURES;

esv *device;
ram_flash device_flash;
char device_answers[ANSWER_BYTES];

ESV_ALIGNED(16) static uint8_t device_memory[DEVICE_MEMORY_BYTES];
static esv_port device_port;
static esv_protocol device_protocol;
static size_t device_answered;
static uint32_t device_now;
static const uint8_t device_key[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
static int8_t device_cohort_values[5 * 512]; /* (5, dim) */
static esv_score_cohort device_cohort;

static uint32_t device_milliseconds(void *context)
{
    (void)context;
    return device_now += 7;
}

static void device_write_line(void *context, const char *line)
{
    (void)context;
    const size_t length = strlen(line);
    if (device_answered + length + 2 > ANSWER_BYTES) {
        device_answered = 0;
    }
    memcpy(device_answers + device_answered, line, length);
    device_answered += length;
    memcpy(device_answers + device_answered, "\n", 2);
    ++device_answered;
}

/* A microphone that hears a square wave and ends after some samples. */
static size_t device_record(void *context, int16_t *pcm, size_t count)
{
    static uint32_t heard = 0;
    (void)context;
    for (size_t i = 0; i < count; ++i) {
        if (heard == DEVICE_HEARS) {
            heard = i == 0 ? 0 : heard;
            return i;
        }
        pcm[i] = heard++ / 20 % 2 == 0 ? 5000 : -5000;
    }
    return count;
}

esv_status device_make(unsigned flags)
{
    static const esv_gate_config off = ESV_GATE_OFF, checks = ESV_GATE_DEFAULT;
    if ((flags & DEVICE_KEEPS_FLASH) == 0) {
        ram_flash_init(&device_flash, 4096, 3, 8);
    }
    for (size_t i = 0; i < sizeof device_cohort_values; ++i) {
        device_cohort_values[i] = (int8_t)((int)(i * 37 % 255) - 127);
    }
    device_cohort.values = device_cohort_values;
    device_cohort.num_speakers = 5;
    device_cohort.dim = DEVICE_NET.embedding_dim;
    memset(&device_port, 0, sizeof device_port);
    device_port.flash = flags & DEVICE_WITHOUT_FLASH ? NULL : &device_flash.flash;
    device_port.device_key = flags & DEVICE_WITH_KEY ? device_key : NULL;
    device_port.record = flags & DEVICE_WITH_MICROPHONE ? device_record : NULL;
    device_port.milliseconds = device_milliseconds;
    device_port.write_line = device_write_line;
    esv_config config = {&DEVICE_NET, &DEVICE_FEATURES, &device_port, NULL, DEVICE_TOP_N, DEVICE_HOP_FRAMES, 0.5f, off};
    config.cohort = flags & DEVICE_WITH_COHORT ? &device_cohort : NULL;
    config.gate = flags & DEVICE_CHECKS_SPEECH ? checks : off;
    if (flags & DEVICE_SKIPS_SILENCE) {
        config.gate.hangover_blocks = 20;
        config.gate.open_db = 12;
        config.gate.close_db = 6;
    }
    memset(device_memory, 0xaa, sizeof device_memory);
    const esv_status status = esv_init(&device, &config, device_memory, sizeof device_memory);
    device_clear_answers();
    return status == ESV_OK ? esv_protocol_init(&device_protocol, device, &device_port) : status;
}

void device_receive(const uint8_t *bytes, size_t count) { esv_protocol_receive(&device_protocol, bytes, count); }

void device_clear_answers(void)
{
    device_answered = 0;
    device_answers[0] = 0;
}
