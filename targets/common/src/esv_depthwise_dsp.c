/* Depthwise convolution with the DSP extension: four channels are loaded as a word and widened to two pairs. */
#include "esv_depthwise_group.h"

#ifdef ESV_LEVEL_DSP

#include "esv_requantize_dsp.h"

/* What esv_depthwise_dsp_sum reads and writes; its assembler knows the places of the members. */
typedef struct {
    const int8_t *const *taps; /*   0 */
    uint32_t channel;          /*   4 */
    const uint32_t *weights;   /*   8: (num_taps, 2): channels (0 2) and (1 3) as int16 */
    uint32_t num_taps;         /*  12 */
    int8_t *out;               /*  16 */
    uint32_t out_step;         /*  20 */
    uint32_t num_pixels;       /*  24: from 1 */
    int32_t bias[4];           /*  28 */
    int32_t requantize[4][3];  /*  44: multiplier, round, right */
    uint32_t low;              /*  92: activation_min in four bytes */
    uint32_t high;             /*  96 */
} esv_depthwise_dsp_job;

typedef char esv_depthwise_dsp_job_is_packed[sizeof(void *) != 4 || sizeof(esv_depthwise_dsp_job) == 100 ? 1 : -1];

/* clang-format off */
/* Computes four channels of all pixels. Sums r4-r7, weights r9 and r10, inputs r8 and r11, pointers r0 and r2. */
static ESV_NAKED void esv_depthwise_dsp_sum(esv_depthwise_dsp_job *job __attribute__((unused)))
{
    __asm__(
        "push   {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "1:\n"
        "ldr    r12, [sp]\n"
        "ldm    r12, {r0, r1, r2, r3}\n"            /* taps, channel, weights, num_taps */
        "add    r12, r12, #28\n"
        "ldm    r12, {r4, r5, r6, r7}\n"
        "2:\n"
        "ldr    r8, [r0], #4\n"
        "ldr    r8, [r8, r1]\n"
        "ldrd   r9, r10, [r2], #8\n"
        "sxtb16 r11, r8\n"
        "sxtb16 r8, r8, ror #8\n"
        "smlabb r4, r11, r9, r4\n"
        "smlatt r6, r11, r9, r6\n"
        "smlabb r5, r8, r10, r5\n"
        "smlatt r7, r8, r10, r7\n"
        "subs   r3, r3, #1\n"
        "bne    2b\n"
        "str    r0, [r12, #-28]\n"
        "add    r12, r12, #16\n"
        "ldm    r12!, {r0, r1, r2, r3, r8, r9}\n"
        ESV_REQUANTIZE_DSP("r4", "r0", "r1", "r2")
        ESV_REQUANTIZE_DSP("r5", "r3", "r8", "r9")
        "ldm    r12!, {r0, r1, r2, r3, r8, r9}\n"
        ESV_REQUANTIZE_DSP("r6", "r0", "r1", "r2")
        ESV_REQUANTIZE_DSP("r7", "r3", "r8", "r9")
        "bfi    r4, r5, #8, #8\n"
        "bfi    r6, r7, #8, #8\n"
        "pkhbt  r4, r4, r6, lsl #16\n"
        "ldm    r12, {r0, r1}\n"                    /* low, high */
        "ssub8  r2, r4, r0\n"
        "sel    r4, r4, r0\n"
        "ssub8  r2, r1, r4\n"
        "sel    r4, r4, r1\n"
        "ldr    r12, [sp]\n"
        "add    r12, r12, #16\n"
        "ldm    r12, {r0, r1, r2}\n"                /* out, step, pixels */
        "str    r4, [r0]\n"
        "add    r0, r0, r1\n"
        "str    r0, [r12], #8\n"
        "subs   r2, r2, #1\n"
        "str    r2, [r12]\n"
        "bne    1b\n"
        "pop    {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}
/* clang-format on */

int esv_depthwise_four(const esv_depthwise_params *params, const esv_depthwise_group *group, void *room)
{
    int16_t *weights = (int16_t *)room;
    esv_depthwise_dsp_job job;
    for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t c = group->channel + i;
        if (!esv_requantize_dsp_is_exact(group->num_taps, params->bias[c], params->shift[c])) {
            return 0;
        }
        job.bias[i] = params->bias[c];
        job.requantize[i][0] = params->multiplier[c];
        job.requantize[i][1] = esv_requantize_dsp_round(params->output_zero_point, params->shift[c]);
        job.requantize[i][2] = -params->shift[c];
    }
    for (uint32_t tap = 0; tap < group->num_taps; ++tap) {
        weights[4 * tap] = group->weights[4 * tap];
        weights[4 * tap + 1] = group->weights[4 * tap + 2];
        weights[4 * tap + 2] = group->weights[4 * tap + 1];
        weights[4 * tap + 3] = group->weights[4 * tap + 3];
    }
    job.taps = group->taps;
    job.channel = group->channel;
    job.weights = (const uint32_t *)room;
    job.num_taps = group->num_taps;
    job.out = group->out;
    job.out_step = group->out_step;
    job.num_pixels = group->num_pixels;
    job.low = 0x01010101u * (uint8_t)params->activation_min;
    job.high = 0x01010101u * (uint8_t)params->activation_max;
    esv_depthwise_dsp_sum(&job);
    return 1;
}

#endif
