#include "esv_gate.h"

#include <string.h>

#define ESV_GATE_POLE_SHIFT 4u     /* 160 Hz at 16 kHz; four such poles take 42 dB from a hum of 50 Hz */
#define ESV_GATE_FLOOR 33u         /* level of -65 dBFS; full scale, a power of 2^30, is 120 */
#define ESV_GATE_RANGE 40u         /* 30 dB in levels */
#define ESV_GATE_LOUD_BLOCKS 10u   /* a click must not set the loud level */
#define ESV_GATE_NOISE_RISE_Q6 3u  /* a block: 3.5 dB a second */
#define ESV_GATE_SETTLING 2u       /* blocks that the filter takes to forget that samples began */
#define ESV_GATE_CLIPPED_SHARE 10u /* one sample in this many */

/* Negative values are shifted to the right by an arithmetic shift, which C leaves to the compiler. */
typedef char esv_gate_shifts_are_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

static uint16_t esv_gate_levels(uint8_t decibels) { return (uint16_t)((4u * decibels + 1u) / 3u); }

/* Returns 4 log2(power), with a straight line between powers of two; 0 for no power. */
static uint16_t esv_gate_level(uint32_t power)
{
    uint16_t octave = 0;
    if (power == 0) {
        return 0;
    }
    while (power >> octave > 1u) {
        ++octave;
    }
    const uint32_t quarter = ((power << (31u - octave)) >> 29) & 3u; /* the two bits below the highest */
    return (uint16_t)(4u * octave + quarter);
}

/* Takes one pole's low frequencies from a sample. */
static int32_t esv_gate_pass(int32_t value_q8, int32_t *low_q8)
{
    *low_q8 += (value_q8 - *low_q8) >> ESV_GATE_POLE_SHIFT;
    return value_q8 - *low_q8;
}

/* Takes samples of one block; what changes from sample to sample stays in registers. pcm: (count). */
static void esv_gate_take(esv_gate *self, const int16_t *pcm, size_t count)
{
    int32_t low0 = self->low_q8[0], low1 = self->low_q8[1], low2 = self->low_q8[2], low3 = self->low_q8[3];
    uint64_t energy = self->energy;
    uint32_t clipped = self->clipped;
    for (size_t i = 0; i < count; ++i) {
        int32_t value = esv_gate_pass((int32_t)pcm[i] * 256, &low0);
        value = esv_gate_pass(esv_gate_pass(esv_gate_pass(value, &low1), &low2), &low3) >> 8;
        value = value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value;
        energy += (uint32_t)(value * value);
        clipped += (uint16_t)(pcm[i] + 32769) < 2u; /* -32768 or 32767 */
    }
    self->low_q8[0] = low0;
    self->low_q8[1] = low1;
    self->low_q8[2] = low2;
    self->low_q8[3] = low3;
    self->energy = energy;
    self->clipped = clipped;
    self->samples += (uint32_t)count;
    self->filled = (uint16_t)(self->filled + count);
}

/* Returns energy / count, below 2^31, by two divisions of 32 bits: one of 64 takes the C library's 800 bytes. */
static uint32_t esv_gate_mean(uint64_t energy, uint16_t count)
{
    const uint32_t high = (uint32_t)(energy >> 16); /* a block's energy is at most 2^30 * 65535 */
    const uint32_t low = ((high % count) << 16) | (uint16_t)energy;
    return ((high / count) << 16) + low / count;
}

static void esv_gate_end_block(esv_gate *self)
{
    const uint16_t level = esv_gate_level(esv_gate_mean(self->energy, self->block_samples));
    const uint16_t level_q6 = (uint16_t)(level << 6);
    self->energy = 0;
    self->filled = 0;
    if (self->settling > 0) {
        --self->settling;
        return;
    }
    if (self->counts[level] < UINT16_MAX) {
        ++self->counts[level];
    }
    self->noise_q6 = (uint16_t)(self->noise_q6 + ESV_GATE_NOISE_RISE_Q6);
    if (level_q6 < self->noise_q6) {
        self->noise_q6 = level_q6;
    }
    const bool is_open = self->open_blocks > 0;
    const uint16_t above = esv_gate_levels(is_open ? self->config.close_db : self->config.open_db);
    if (level >= ESV_GATE_FLOOR && level >= (self->noise_q6 >> 6) + above) {
        self->open_blocks = self->config.hangover_blocks;
    } else if (is_open) {
        --self->open_blocks;
    }
}

void esv_gate_begin(esv_gate *self, const esv_gate_config *config, uint16_t block_samples)
{
    memset(self, 0, sizeof *self);
    self->config = *config;
    self->block_samples = block_samples;
    self->settling = ESV_GATE_SETTLING;
    self->noise_q6 = ESV_GATE_FLOOR << 6; /* low: what comes first is taken for speech */
}

void esv_gate_push(esv_gate *self, const int16_t *pcm, size_t count)
{
    if (self->config.min_speech_blocks == 0 && self->config.hangover_blocks == 0) {
        return; /* nobody asks */
    }
    while (count > 0) {
        const size_t room = (size_t)(self->block_samples - self->filled);
        const size_t taken = count < room ? count : room;
        esv_gate_take(self, pcm, taken);
        pcm += taken;
        count -= taken;
        if (self->filled == self->block_samples) {
            esv_gate_end_block(self);
        }
    }
}

bool esv_gate_is_open(const esv_gate *self) { return self->config.hangover_blocks == 0 || self->open_blocks > 0; }

uint32_t esv_gate_speech_blocks(const esv_gate *self)
{
    uint32_t loud = ESV_GATE_LEVELS;
    for (uint32_t blocks = 0; loud > 0 && blocks < ESV_GATE_LOUD_BLOCKS;) {
        blocks += self->counts[--loud];
    }
    const uint32_t range = loud > ESV_GATE_RANGE ? loud - ESV_GATE_RANGE : 0;
    uint32_t speech = 0;
    for (uint32_t level = range > ESV_GATE_FLOOR ? range : ESV_GATE_FLOOR; level < ESV_GATE_LEVELS; ++level) {
        speech += self->counts[level];
    }
    return speech;
}

esv_status esv_gate_check(const esv_gate *self)
{
    const uint32_t wanted = self->config.min_speech_blocks;
    const uint32_t speech = esv_gate_speech_blocks(self);
    if (wanted == 0) {
        return ESV_OK;
    }
    if (speech == 0 && self->samples / self->block_samples >= wanted) {
        return ESV_ERR_SILENT;
    }
    if (speech < wanted) {
        return ESV_ERR_TOO_SHORT;
    }
    return self->clipped > self->samples / ESV_GATE_CLIPPED_SHARE ? ESV_ERR_CLIPPED : ESV_OK;
}
