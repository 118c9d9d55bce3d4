#include "esv_siphash.h"

typedef struct {
    uint64_t v[4];
} esv_siphash_state;

static uint64_t esv_siphash_rotate(uint64_t word, unsigned bits) { return (word << bits) | (word >> (64u - bits)); }

/* bytes: (count <= 8), little-endian. */
static uint64_t esv_siphash_word(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;
    for (size_t i = 0; i < count; ++i) {
        word |= (uint64_t)bytes[i] << (8u * i);
    }
    return word;
}

static void esv_siphash_rounds(esv_siphash_state *state, int rounds)
{
    uint64_t *v = state->v;
    for (int i = 0; i < rounds; ++i) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = esv_siphash_rotate(v[1], 13) ^ v[0];
        v[3] = esv_siphash_rotate(v[3], 16) ^ v[2];
        v[0] = esv_siphash_rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = esv_siphash_rotate(v[1], 17) ^ v[2];
        v[3] = esv_siphash_rotate(v[3], 21) ^ v[0];
        v[2] = esv_siphash_rotate(v[2], 32);
    }
}

static void esv_siphash_absorb(esv_siphash_state *state, uint64_t word)
{
    state->v[3] ^= word;
    esv_siphash_rounds(state, 2);
    state->v[0] ^= word;
}

/* out: (8) */
static void esv_siphash_squeeze(esv_siphash_state *state, uint8_t *out)
{
    esv_siphash_rounds(state, 4);
    const uint64_t word = state->v[0] ^ state->v[1] ^ state->v[2] ^ state->v[3];
    for (unsigned i = 0; i < 8; ++i) {
        out[i] = (uint8_t)(word >> (8u * i));
    }
}

void esv_siphash(const uint8_t *key, const void *bytes, size_t count, uint8_t *tag)
{
    const uint8_t *at = (const uint8_t *)bytes;
    const uint64_t low = esv_siphash_word(key, 8);
    const uint64_t high = esv_siphash_word(key + 8, 8);
    esv_siphash_state state;
    state.v[0] = low ^ UINT64_C(0x736f6d6570736575);
    state.v[1] = high ^ UINT64_C(0x646f72616e646f6d) ^ 0xeeu; /* 0xee: 128 bits of output */
    state.v[2] = low ^ UINT64_C(0x6c7967656e657261);
    state.v[3] = high ^ UINT64_C(0x7465646279746573);
    size_t left = count;
    for (; left >= 8; left -= 8, at += 8) {
        esv_siphash_absorb(&state, esv_siphash_word(at, 8));
    }
    esv_siphash_absorb(&state, esv_siphash_word(at, left) | ((uint64_t)count << 56));
    state.v[2] ^= 0xeeu;
    esv_siphash_squeeze(&state, tag);
    state.v[1] ^= 0xddu;
    esv_siphash_squeeze(&state, tag + 8);
}
