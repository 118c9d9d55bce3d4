/* Inside of the depthwise convolution: what its levels share. */
#ifndef ESV_DEPTHWISE_GROUP_H
#define ESV_DEPTHWISE_GROUP_H

#include "esv_depthwise.h"
#include "esv_kernel_level.h"

/* Up to four output channels of a row of pixels. */
typedef struct {
    const int8_t *const *taps; /* (num_pixels, num_taps): the pixel under each tap, (in_channels) */
    uint32_t num_pixels;
    uint32_t num_taps;
    uint32_t channel;      /* the first one */
    uint32_t lanes;        /* how many */
    const int8_t *weights; /* (num_taps, 4) */
    int8_t *out;           /* the first channel of the first pixel */
    uint32_t out_step;
} esv_depthwise_group;

/* Four channels at once, each of its own input channel. Returns 0 when it cannot do this group exactly. room: 8 bytes
 * for each tap. */
int esv_depthwise_four(const esv_depthwise_params *params, const esv_depthwise_group *group, void *room);

#endif /* ESV_DEPTHWISE_GROUP_H */
