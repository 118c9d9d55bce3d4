/* Inside of the convolution with MVE. */
#ifndef ESV_CONV_MVE_H
#define ESV_CONV_MVE_H

#include "esv_conv_tile.h"

#ifdef ESV_LEVEL_MVE

/* Returns where the channel's weights lie as int8, (window): in flash, or decoded into `room`, (tile decoded_bytes). */
const int8_t *esv_conv_mve_decode(const esv_conv_params *params, const esv_conv_tile *tile, uint32_t channel,
                                  int8_t *room);

#endif

#endif /* ESV_CONV_MVE_H */
