/* Inside of the convolution with the DSP extension. Values are widened to int16 in groups of four in the order 0 2 1 3,
 * which one SXTB16 and one SXTB16 ROR 8 make of a word of four int8. */
#ifndef ESV_CONV_DSP_H
#define ESV_CONV_DSP_H

#include "esv_conv_tile.h"

#ifdef ESV_LEVEL_DSP

/* Widens int8 values. in: (num_groups, 4) at any address; out: (num_groups, 4); it may end where `in` does and lie over
 * it. */
void esv_conv_dsp_widen(const int8_t *in, uint32_t num_groups, int16_t *out);

/* Pairs of weights by pairs of indices: table[i | j << bits] = codebook[i] | codebook[j] << 16.
 * codebook: (2**bits); table: (2**(2 * bits)). */
void esv_conv_dsp_fill_table(const int8_t *codebook, uint32_t bits, uint32_t *table);

/* Widens a channel's weights. table: the pairs of its codebook when all channels share one, otherwise room for them;
 * out: (groups, 4), the groups 8 values apart, so that two channels lie interleaved. */
void esv_conv_dsp_decode(const esv_conv_params *params, uint32_t window, uint32_t channel, uint32_t *table,
                         int16_t *out);

/* One channel's sum for one pixel, with weights as they lie in flash. inputs: (window) widened; table: as above. */
int32_t esv_conv_dsp_dot(const esv_conv_params *params, uint32_t window, uint32_t channel, uint32_t *table,
                         const int16_t *inputs);

#endif

#endif /* ESV_CONV_DSP_H */
