/* Where a recording speaks, by its energy alone, in integers: is there enough speech, and, if wanted, which frames are
 * worth the net's time.
 *
 * The level of a block (one hop of samples, 10 ms) is the mean power above some 200 Hz, so that a mains hum or an
 * offset counts little, in quarters of an octave: 4 log2(power), .75 dB a step, 0 to 123. Enough speech is decided as
 * in edge_sv.audio.check_speech, with blocks in place of its 25 ms frames: a block is speech when it is within 30 dB of
 * what the loudest 10 blocks reach, and above -65 dBFS.
 *
 * The gate proper opens at open_db above the noise, stays open down to close_db above it and for hangover_blocks after
 * that. The noise is the lowest level of late: it falls at once and rises by 3.5 dB a second. */
#ifndef ESV_GATE_H
#define ESV_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint16_t min_speech_blocks; /* a recording with less speech is refused; 0: recordings are not checked */
    uint16_t hangover_blocks;   /* 0: the gate is always open, as on the desktop */
    uint8_t open_db;
    uint8_t close_db;
} esv_gate_config;

/* Checks recordings as the desktop does and lets every frame pass: the same embeddings, bit for bit. */
#define ESV_GATE_DEFAULT {50, 0, 12, 6}
/* Neither checks nor gates. */
#define ESV_GATE_OFF {0, 0, 0, 0}

#define ESV_GATE_LEVELS 124u
#define ESV_GATE_POLES 4u

/* All fields are its own. */
typedef struct {
    esv_gate_config config;
    int32_t low_q8[ESV_GATE_POLES]; /* what each pole of the high-pass filter takes away */
    uint64_t energy;                /* of the block so far */
    uint32_t samples;               /* of the recording so far */
    uint32_t clipped;               /* of them at full scale */
    uint16_t block_samples;
    uint16_t filled;                  /* samples of the block so far */
    uint16_t counts[ESV_GATE_LEVELS]; /* blocks of each level, saturating */
    uint16_t noise_q6;                /* level */
    uint16_t open_blocks;             /* until the gate closes */
    uint16_t settling;                /* blocks until levels count */
} esv_gate;

/* Starts a recording. block_samples: one hop. */
void esv_gate_begin(esv_gate *self, const esv_gate_config *config, uint16_t block_samples);

/* Takes samples. pcm: (count). */
void esv_gate_push(esv_gate *self, const int16_t *pcm, size_t count);

/* Tells whether the frames that end now are worth the net's time. */
bool esv_gate_is_open(const esv_gate *self);

/* Counts the recording's blocks of speech. */
uint32_t esv_gate_speech_blocks(const esv_gate *self);

/* ESV_ERR_SILENT, ESV_ERR_TOO_SHORT, ESV_ERR_CLIPPED (a tenth of the samples at full scale), or ESV_OK. */
esv_status esv_gate_check(const esv_gate *self);

#ifdef __cplusplus
}
#endif

#endif /* ESV_GATE_H */
