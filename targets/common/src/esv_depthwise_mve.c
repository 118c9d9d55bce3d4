/* Depthwise convolution with MVE: four channels are a vector. */
#include "esv_depthwise_group.h"

#ifdef ESV_LEVEL_MVE

#include "esv_requantize.h"

int esv_depthwise_four(const esv_depthwise_params *params, const esv_depthwise_group *group, void *room)
{
    (void)room;
    const uint32_t c = group->channel;
    const int32_t zero_point = params->output_zero_point;
    const int32x4_t shift = vldrbq_s32(params->shift + c);
    const int32x4_t left = vmaxq_s32(shift, vdupq_n_s32(0));
    const int32x4_t minus_right = vminq_s32(shift, vdupq_n_s32(0));
    const int32x4_t multiplier = vldrwq_s32(params->multiplier + c);
    const int32x4_t low = vdupq_n_s32(params->activation_min - zero_point);
    const int32x4_t high = vdupq_n_s32(params->activation_max - zero_point);
    const int8_t *const *taps = group->taps;
    int8_t *out = group->out;
    for (uint32_t i = group->num_pixels; i > 0; --i, out += group->out_step) {
        const int8_t *weights = group->weights;
        int32x4_t sums = vldrwq_s32(params->bias + c);
        for (uint32_t tap = group->num_taps; tap > 0; --tap, weights += 4) {
            sums = vaddq_s32(sums, vmulq_s32(vldrbq_s32(*taps++ + c), vldrbq_s32(weights)));
        }
        sums = esv_requantize_x4(sums, multiplier, left, minus_right);
        sums = vaddq_n_s32(vminq_s32(vmaxq_s32(sums, low), high), zero_point);
        vstrbq_s32(out, sums);
    }
    return 1;
}

#endif
