/* Packed weights by vectors, as int8 in their natural order. Stores go up to a multiple of 32 weights. */
#include "esv_conv_mve.h"

#ifdef ESV_LEVEL_MVE

#include <arm_mve.h>

/* 32 weights. Low nibbles are four of them, high ones the next four: stores that interleave words put them in order. */
static inline void esv_store_s4(uint8x16_t packed, int8_t *out)
{
    int32x4x2_t weights;
    weights.val[0] = vreinterpretq_s32_u8(vsubq_n_u8(vandq_u8(packed, vdupq_n_u8(15)), 8));
    weights.val[1] = vreinterpretq_s32_u8(vsubq_n_u8(vshrq_n_u8(packed, 4), 8));
    vst2q_s32((int32_t *)(void *)out, weights);
}

static void esv_decode_s4(const uint8_t *packed, uint32_t bytes, int8_t *out)
{
    for (uint32_t i = bytes / 16u; i > 0; --i, packed += 16, out += 32) {
        esv_store_s4(vldrbq_u8(packed), out);
    }
    if (bytes % 16u != 0) {
        esv_store_s4(vldrbq_z_u8(packed, vctp8q(bytes % 16u)), out);
    }
}

/* 32 weights. Bytes hold weights (0 2), (1 3), (4 6), (5 7): two of the low nibbles, two of the high ones, and so on.
 */
static inline void esv_store_palette4(uint8x16_t packed, const int8_t *codebook, int8_t *out)
{
    int16x8x2_t weights;
    weights.val[0] = vreinterpretq_s16_s8(vldrbq_gather_offset_s8(codebook, vandq_u8(packed, vdupq_n_u8(15))));
    weights.val[1] = vreinterpretq_s16_s8(vldrbq_gather_offset_s8(codebook, vshrq_n_u8(packed, 4)));
    vst2q_s16((int16_t *)(void *)out, weights);
}

static void esv_decode_palette4(const uint8_t *packed, uint32_t bytes, const int8_t *codebook, int8_t *out)
{
    for (uint32_t i = bytes / 16u; i > 0; --i, packed += 16, out += 32) {
        esv_store_palette4(vldrbq_u8(packed), codebook, out);
    }
    if (bytes % 16u != 0) {
        esv_store_palette4(vldrbq_z_u8(packed, vctp8q(bytes % 16u)), codebook, out);
    }
}

/* One to three bits: a group of 8 at a time. An index lies in one byte or across two. */
static void esv_decode_palette(const uint8_t *packed, uint32_t bits, const int8_t *codebook, uint32_t groups,
                               int8_t *out)
{
    static const uint16_t places[8] = {0, 2, 1, 3, 4, 6, 5, 7}; /* of the weights, in indices */
    const uint16x8_t first_bit = vmulq_n_u16(vldrhq_u16(places), (uint16_t)bits);
    const uint16x8_t low_byte = vshrq_n_u16(first_bit, 3);
    const uint16x8_t high_byte = vminq_u16(vaddq_n_u16(low_byte, 1), vdupq_n_u16((uint16_t)(bits - 1u)));
    const int16x8_t down = vnegq_s16(vreinterpretq_s16_u16(vandq_u16(first_bit, vdupq_n_u16(7))));
    const uint16x8_t mask = vdupq_n_u16((uint16_t)((1u << bits) - 1u));
    for (; groups > 0; --groups, packed += bits, out += 8) {
        const uint16x8_t low = vldrbq_gather_offset_u16(packed, low_byte);
        const uint16x8_t high = vldrbq_gather_offset_u16(packed, high_byte);
        const uint16x8_t index = vandq_u16(vshlq_u16(vsliq_n_u16(low, high, 8), down), mask);
        vstrbq_s16(out, vldrbq_gather_offset_s16(codebook, index));
    }
}

const int8_t *esv_conv_mve_decode(const esv_conv_params *params, const esv_conv_tile *tile, uint32_t channel,
                                  int8_t *room)
{
    const uint32_t bits = params->weight_bits;
    if (bits == 8) {
        return (const int8_t *)params->weights + channel * tile->window;
    }
    const uint32_t groups = (tile->window + 7u) / 8u;
    const uint8_t *packed = (const uint8_t *)params->weights + channel * groups * bits;
    if (params->codebook == NULL) {
        esv_decode_s4(packed, groups * 4u, room);
        return room;
    }
    const int8_t *codebook = params->codebook + channel * params->codebook_stride;
    if (bits == 4) {
        esv_decode_palette4(packed, groups * 4u, codebook, room);
    } else {
        esv_decode_palette(packed, bits, codebook, groups, room);
    }
    return room;
}

#endif
