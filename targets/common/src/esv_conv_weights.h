/* Inside of the convolution: packed weights of one output channel as int8 values. */
#ifndef ESV_CONV_WEIGHTS_H
#define ESV_CONV_WEIGHTS_H

#include "esv_conv.h"

/* Returns where the channel's weights lie as int8: in flash, or decoded into `room`. window: a multiple of 4;
 * room: (window rounded up to 8). */
const int8_t *esv_conv_weights_decode(const esv_conv_params *params, uint32_t channel, uint32_t window, int8_t *room);

#endif /* ESV_CONV_WEIGHTS_H */
