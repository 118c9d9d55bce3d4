#include "esv_conv_weights.h"

/* 4-bit integers: low nibbles are four weights in order, high ones the next four; all are 8 more than the weight. */
static void esv_conv_weights_decode_s4(const uint8_t *packed, uint32_t groups, int8_t *out)
{
    for (uint32_t i = 0; i < groups; ++i) {
        for (uint32_t j = 0; j < 4; ++j) {
            const uint32_t byte = packed[4 * i + j];
            out[8 * i + j] = (int8_t)((int32_t)(byte & 15u) - 8);
            out[8 * i + j + 4] = (int8_t)((int32_t)(byte >> 4) - 8);
        }
    }
}

static void esv_conv_weights_decode_palette(const uint8_t *packed, uint32_t bits, const int8_t *codebook,
                                            uint32_t groups, int8_t *out)
{
    static const uint8_t order[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    const uint32_t mask = (1u << bits) - 1u;
    for (uint32_t i = 0; i < groups; ++i) {
        uint32_t indices = 0;
        for (uint32_t j = 0; j < bits; ++j) {
            indices |= (uint32_t)*packed++ << (8u * j);
        }
        for (uint32_t j = 0; j < 8; ++j) {
            out[8 * i + order[j]] = codebook[indices & mask];
            indices >>= bits;
        }
    }
}

const int8_t *esv_conv_weights_decode(const esv_conv_params *params, uint32_t channel, uint32_t window, int8_t *room)
{
    if (params->weight_bits == 8) {
        return (const int8_t *)params->weights + channel * window;
    }
    const uint32_t groups = (window + 7u) / 8u;
    const uint8_t *packed = (const uint8_t *)params->weights + channel * groups * params->weight_bits;
    if (params->codebook == NULL) {
        esv_conv_weights_decode_s4(packed, groups, room);
    } else {
        const int8_t *codebook = params->codebook + channel * params->codebook_stride;
        esv_conv_weights_decode_palette(packed, params->weight_bits, codebook, groups, room);
    }
    return room;
}
