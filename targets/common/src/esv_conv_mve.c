/* The convolution's inner loops for cores with MVE, the vector extension (Cortex-M55, M85): four output channels at one
 * pixel, 16 products an instruction; the four sums are requantized as one vector. */
#include "esv_conv_mve.h"

#ifdef ESV_LEVEL_MVE

#include <arm_mve.h>

/* What esv_conv_mve_sum reads; its assembler knows the places of the members. */
typedef struct {
    int32_t bias_0;          /*   0 */
    int32_t bias_1;          /*   4 */
    const int8_t *weights_0; /*   8: (window) */
    int32_t bias_2;          /*  12 */
    const int8_t *weights_1; /*  16 */
    int32_t bias_3;          /*  20 */
    const int8_t *weights_2; /*  24 */
    const int8_t *weights_3; /*  28 */
    int32_t zero_point;      /*  32 */
    int8_t *end;             /*  36: out behind the last pixel */
    const int8_t *window;    /*  40 */
    uint32_t window_size;    /*  44 */
    int32_t window_gap;      /*  48: from where the loop ends to the next window */
    int8_t *out;             /*  52 */
    uint32_t out_step;       /*  56 */
    uint32_t lanes;          /*  60: channels, 1 to 4 */
    int32_t multiplier[4];   /*  64 */
    int32_t left[4];         /*  80 */
    int32_t minus_right[4];  /*  96 */
    int32_t low[4];          /* 112: activation_min - zero_point */
    int32_t high[4];         /* 128 */
} esv_conv_mve_job;

typedef char esv_conv_mve_job_is_packed[sizeof(esv_conv_mve_job) == 144 ? 1 : -1];

/* clang-format off */
#define ESV_DOT(sum, weights, vector)                                \
    "vldrb.8     " vector ", [" weights "], #16\n"                   \
    "vmladava.s8 " sum ", q0, " vector "\n"

/* Computes all pixels of a run for four channels. A function of its own, since it takes every register: sums r0, r2, r4
 * and r6, which must have even numbers, weights r3, r5, r7 and r9, window r11, out r1, constants q3-q7. */
static ESV_NAKED void esv_conv_mve_sum(const esv_conv_mve_job *job __attribute__((unused)))
{
    __asm__(
        "push     {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "vpush    {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "add      r1, r0, #64\n"
        "vldrw.32 q3, [r1]\n"                         /* multiplier */
        "vldrw.32 q4, [r1, #16]\n"                    /* left */
        "vldrw.32 q5, [r1, #32]\n"                    /* minus_right */
        "vldrw.32 q6, [r1, #48]\n"                    /* low */
        "vldrw.32 q7, [r1, #64]\n"                    /* high */
        "ldm      r0!, {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "push     {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "ldrd     r11, r8, [r0]\n"                     /* window, its size */
        "ldrd     r10, r1, [r0, #8]\n"               /* gap, out */
        "ldrd     r12, r2, [r0, #16]\n"               /* out_step, lanes */
        "vctp.32  r2\n"
        "1:\n"
        "ldm      sp, {r0, r2, r3, r4, r5, r6, r7, r9}\n"
        "dlstp.8  lr, r8\n"
        "2:\n"
        "vldrb.8  q0, [r11], #16\n"
        ESV_DOT("r0", "r3", "q1")
        ESV_DOT("r2", "r5", "q2")
        ESV_DOT("r4", "r7", "q1")
        ESV_DOT("r6", "r9", "q2")
        "letp     lr, 2b\n"
        "vmov     d0, r0, r2\n"
        "vmov     d1, r4, r6\n"
        "ldrd     r0, r2, [sp, #32]\n"                /* zero point, end */
        "vshl.s32 q0, q0, q4\n"
        "vqrdmulh.s32 q0, q0, q3\n"
        "vand     q1, q0, q5\n"                       /* VRSHL rounds halves up: negative values that are shifted at */
        "vshr.s32 q1, q1, #31\n"                      /* all become one less before */
        "vqadd.s32 q0, q0, q1\n"
        "vrshl.s32 q0, q0, q5\n"
        "vmax.s32 q0, q0, q6\n"
        "vmin.s32 q0, q0, q7\n"
        "vadd.i32 q0, q0, r0\n"
        "vpst\n"
        "vstrbt.32 q0, [r1]\n"
        "add      r11, r11, r10\n"
        "add      r1, r1, r12\n"
        "cmp      r1, r2\n"
        "bne      1b\n"
        "add      sp, sp, #40\n"
        "vpop     {d8, d9, d10, d11, d12, d13, d14, d15}\n"
        "pop      {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}
/* clang-format on */

/* Sets what belongs to `lanes` channels; the lanes behind them compute something. */
static void esv_conv_mve_set_channels(const esv_conv_params *params, const esv_conv_tile *tile, uint32_t channel,
                                      uint32_t lanes, int8_t *room, esv_conv_mve_job *job)
{
    const mve_pred16_t valid = vctp32q(lanes);
    const int32x4_t shift = vldrbq_z_s32(params->shift + channel, valid);
    const int8_t *weights[4];
    int32_t bias[4];
    vstrwq_s32(job->multiplier, vldrwq_z_s32(params->multiplier + channel, valid));
    vstrwq_s32(job->left, vmaxq_s32(shift, vdupq_n_s32(0)));
    vstrwq_s32(job->minus_right, vminq_s32(shift, vdupq_n_s32(0)));
    vstrwq_s32(bias, vldrwq_z_s32(params->bias + channel, valid));
    weights[0] = esv_conv_mve_decode(params, tile, channel, room);
    for (uint32_t i = 1; i < 4; ++i) {
        room += tile->decoded_bytes;
        weights[i] = i < lanes ? esv_conv_mve_decode(params, tile, channel + i, room) : weights[0];
    }
    job->weights_0 = weights[0];
    job->weights_1 = weights[1];
    job->weights_2 = weights[2];
    job->weights_3 = weights[3];
    job->bias_0 = bias[0];
    job->bias_1 = bias[1];
    job->bias_2 = bias[2];
    job->bias_3 = bias[3];
    job->lanes = lanes;
}

void esv_conv_compute(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *columns, int8_t *out,
                      void *scratch)
{
    int8_t *room = (int8_t *)scratch + 2u * tile->columns_bytes;
    /* For a single pixel there is room for one channel's decoded weights. */
    const uint32_t at_once = params->tile_width > 1 || params->weight_bits == 8 ? 4u : 1u;
    esv_conv_mve_job job;
    job.zero_point = params->output_zero_point;
    job.window_size = tile->window;
    job.out_step = tile->phases * params->out_channels;
    vstrwq_s32(job.low, vdupq_n_s32(params->activation_min - job.zero_point));
    vstrwq_s32(job.high, vdupq_n_s32(params->activation_max - job.zero_point));
    for (uint32_t c = 0; c < params->out_channels; c += at_once) {
        const uint32_t left = params->out_channels - c;
        esv_conv_mve_set_channels(params, tile, c, left < at_once ? left : at_once, room, &job);
        for (uint32_t phase = 0; phase < tile->phases; ++phase) {
            const esv_conv_run run = esv_conv_find_run(params, tile, phase);
            job.window = columns + run.window;
            job.window_gap = (int32_t)tile->window_step - (int32_t)((tile->window + 15u) & ~15u);
            job.out = out + phase * params->out_channels + c;
            job.end = job.out + run.count * job.out_step;
            if (run.count > 0) {
                esv_conv_mve_sum(&job);
            }
        }
    }
}

#endif
