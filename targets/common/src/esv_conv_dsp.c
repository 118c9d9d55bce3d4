/* The convolution's inner loops for cores with the DSP extension (Cortex-M4, M7, M33).
 *
 * Inputs and weights are widened to int16 in groups of four in the order 0 2 1 3, which one SXTB16 and one SXTB16 ROR 8
 * make of a word of four int8. Two output channels times two output pixels are summed at once: per group two loads of
 * inputs, one of weights and eight SMLAD for 16 products. Inputs are widened once for all channels, the weights of two
 * channels once for all pixels of the tile. */
#include "esv_conv_dsp.h"
#include "esv_requantize_dsp.h"

#ifdef ESV_LEVEL_DSP

#include <string.h>

/* What esv_conv_dsp_sum reads and writes; its assembler knows the places of the members. */
typedef struct {
    int32_t sums[4];      /*  0: of the last two pixels, (pixel, channel) */
    int32_t multiplier_0; /* 16: how channel 0 is requantized */
    int32_t round_0;      /* 20: half + zero point, both times 2**right_0 */
    int32_t right_0;      /* 24 */
    int32_t multiplier_1; /* 28 */
    int32_t round_1;      /* 32 */
    int32_t right_1;      /* 36 */
    uint32_t low;         /* 40: activation_min in four bytes */
    uint32_t high;        /* 44 */
    int8_t *out;          /* 48 */
    uint32_t out_step;    /* 52: bytes from pixel to pixel */
    uint32_t num_pairs;   /* 56: pairs of pixels that are left, from 1 */
    int16_t *window;      /* 60 */
    uint32_t window_step; /* 64: bytes from pixel to pixel */
    int32_t bias_0;       /* 68 */
    int32_t bias_1;       /* 72 */
    int16_t *weights;     /* 76: (groups, 2 channels, 4) */
    uint32_t rounds;      /* 80: of the unrolled loop; set by the function itself, as is */
    uintptr_t entry;      /* 84: where it is entered */
} esv_conv_dsp_job;

typedef char esv_conv_dsp_job_is_packed[sizeof(void *) != 4 || sizeof(esv_conv_dsp_job) == 88 ? 1 : -1];

/* clang-format off */
#define ESV_GROUP                                                    \
    "ldm   r12!, {r8, r9, r10, r11}\n"                               \
    "ldrd  r2, r3, [r0], #8\n"                                       \
    "smlad r4, r8, r2, r4\n" "smlad r5, r10, r2, r5\n"               \
    "smlad r4, r9, r3, r4\n" "smlad r5, r11, r3, r5\n"               \
    "ldrd  r2, r3, [r1], #8\n"                                       \
    "smlad r6, r8, r2, r6\n" "smlad r7, r10, r2, r7\n"               \
    "smlad r6, r9, r3, r6\n" "smlad r7, r11, r3, r7\n"
#define ESV_GROUP_BYTES "44"

/* Computes all pairs of pixels: sums, requantizes and stores two channels, and leaves the last sums in the job. A
 * function of its own, since the loop takes every register: sums r4-r7, weights r8-r11, inputs r2-r3, pointers r0, r1
 * and r12, rounds lr. */
static ESV_NAKED void esv_conv_dsp_sum(esv_conv_dsp_job *job __attribute__((unused)),
                                                               uint32_t num_groups __attribute__((unused)))
{
    __asm__(
        "push   {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "add    r2, r1, #3\n"
        "lsrs   r2, r2, #2\n"
        "str    r2, [r0, #80]\n"
        "rsb    r1, r1, #0\n"
        "and    r1, r1, #3\n"                          /* groups that the first round leaves out */
        "mov    r2, #" ESV_GROUP_BYTES "\n"
        "adr    r3, 2f\n"
        "mla    r1, r1, r2, r3\n"
        "orr    r1, r1, #1\n"                          /* Thumb */
        "str    r1, [r0, #84]\n"
        "mov    r12, r0\n"
        "1:\n"
        "add    r3, r12, #60\n"
        "ldm    r3, {r0, r1, r4, r5, r12, lr}\n"       /* window, step, biases, weights, rounds */
        "add    r2, r0, r1, lsl #1\n"
        "str    r2, [r3]\n"
        "add    r1, r0, r1\n"
        "mov    r6, r4\n"
        "mov    r7, r5\n"
        "ldr    pc, [r3, #24]\n"
        ".p2align 2\n"
        "2:\n"
        ESV_GROUP ESV_GROUP ESV_GROUP ESV_GROUP
        "subs   lr, lr, #1\n"
        "bne    2b\n"
        "ldr    r12, [sp]\n"
        "stm    r12!, {r4, r5, r6, r7}\n"
        "ldm    r12, {r0, r1, r2, r8, r9, r10, r11, lr}\n"
        ESV_REQUANTIZE_DSP("r4", "r0", "r1", "r2")
        ESV_REQUANTIZE_DSP("r6", "r0", "r1", "r2")
        ESV_REQUANTIZE_DSP("r5", "r8", "r9", "r10")
        ESV_REQUANTIZE_DSP("r7", "r8", "r9", "r10")
        "bfi    r4, r5, #8, #8\n"
        "bfi    r6, r7, #8, #8\n"
        "pkhbt  r4, r4, r6, lsl #16\n"                 /* four outputs; now to the activation's range */
        "ssub8  r6, r4, r11\n"
        "sel    r4, r4, r11\n"
        "ssub8  r6, lr, r4\n"
        "sel    r4, r4, lr\n"
        "add    r12, r12, #32\n"
        "ldm    r12, {r0, r1, r2}\n"                   /* out, step, pairs */
        "strh   r4, [r0]\n"
        "lsrs   r4, r4, #16\n"
        "strh   r4, [r0, r1]\n"
        "add    r0, r0, r1, lsl #1\n"
        "str    r0, [r12], #8\n"
        "subs   r2, r2, #1\n"
        "str    r2, [r12], #-56\n"
        "bne    1b\n"
        "pop    {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}
/* clang-format on */

static int esv_conv_dsp_is_exact(const esv_conv_params *params, uint32_t window, uint32_t channel)
{
    return esv_requantize_dsp_is_exact(window, params->bias[channel], params->shift[channel]);
}

static void esv_conv_dsp_set_requantization(const esv_conv_params *params, esv_conv_dsp_job *job, uint32_t first,
                                            uint32_t second)
{
    job->multiplier_0 = params->multiplier[first];
    job->multiplier_1 = params->multiplier[second];
    job->round_0 = esv_requantize_dsp_round(params->output_zero_point, params->shift[first]);
    job->round_1 = esv_requantize_dsp_round(params->output_zero_point, params->shift[second]);
    job->right_0 = -params->shift[first];
    job->right_1 = -params->shift[second];
}

/* One pixel of the channels `first` and `second`, for whatever the fast way cannot requantize or store. out: (channels)
 */
static void esv_conv_dsp_sum_pixel(const esv_conv_params *params, esv_conv_dsp_job *job, uint32_t num_groups,
                                   uint32_t first, uint32_t second, int8_t *out)
{
    int8_t unused[4];
    job->out = unused;
    job->out_step = 2;
    job->num_pairs = 1;
    job->window_step = 0;
    esv_conv_dsp_sum(job, num_groups);
    out[first] = esv_conv_requantize(params, first, job->sums[0]);
    out[second] = esv_conv_requantize(params, second, job->sums[1]);
}

/* All pixels of a run. With an odd number of them the last pair overlaps the one before. */
static void esv_conv_dsp_sum_run(esv_conv_dsp_job *job, uint32_t num_groups, int16_t *window, uint32_t window_bytes,
                                 uint32_t count, int8_t *out, uint32_t out_step)
{
    job->window_step = window_bytes;
    job->out_step = out_step;
    job->window = window;
    job->out = out;
    job->num_pairs = count / 2u;
    esv_conv_dsp_sum(job, num_groups);
    if (count % 2u != 0) {
        job->window = window + (count - 2u) * (window_bytes / 2u);
        job->out = out + (count - 2u) * out_step;
        job->num_pairs = 1;
        esv_conv_dsp_sum(job, num_groups);
    }
}

static void esv_conv_dsp_channels(const esv_conv_params *params, const esv_conv_tile *tile, esv_conv_dsp_job *job,
                                  uint32_t first, uint32_t second, int16_t *inputs, int8_t *out)
{
    const uint32_t groups = tile->window / 4u;
    const int fast = first != second && esv_conv_dsp_is_exact(params, tile->window, first) &&
                     esv_conv_dsp_is_exact(params, tile->window, second);
    job->bias_0 = params->bias[first];
    job->bias_1 = params->bias[second];
    if (fast) {
        esv_conv_dsp_set_requantization(params, job, first, second);
    }
    for (uint32_t phase = 0; phase < tile->phases; ++phase) {
        const esv_conv_run run = esv_conv_find_run(params, tile, phase);
        int16_t *window = inputs + run.window;
        int8_t *pixel = out + phase * params->out_channels;
        const uint32_t out_step = tile->phases * params->out_channels;
        if (fast && run.count > 1) {
            esv_conv_dsp_sum_run(job, groups, window, 2u * tile->window_step, run.count, pixel + first, out_step);
        } else {
            for (uint32_t i = 0; i < run.count; ++i) {
                job->window = window + i * tile->window_step;
                esv_conv_dsp_sum_pixel(params, job, groups, first, second, pixel + i * out_step);
            }
        }
    }
}

/* A single pixel: weights are used once, so they are not widened into memory. */
static void esv_conv_dsp_pixel(const esv_conv_params *params, const esv_conv_tile *tile, const int16_t *inputs,
                               uint32_t *table, int8_t *out)
{
    for (uint32_t c = 0; c < params->out_channels; ++c) {
        out[c] = esv_conv_requantize(params, c, esv_conv_dsp_dot(params, tile->window, c, table, inputs));
    }
}

/* scratch: widened inputs; then for many pixels widened weights, for one pixel a group of zeros; then the table. */
void esv_conv_compute(const esv_conv_params *params, const esv_conv_tile *tile, const int8_t *columns, int8_t *out,
                      void *scratch)
{
    int16_t *inputs = (int16_t *)scratch;
    int16_t *weights = inputs + tile->columns_bytes;
    uint32_t *table = (uint32_t *)(void *)(weights + tile->weights_bytes / 2u);
    esv_conv_dsp_widen(columns, tile->columns_bytes / 4u, inputs);
    if (params->codebook != NULL && params->codebook_stride == 0) {
        esv_conv_dsp_fill_table(params->codebook, params->weight_bits, table);
    }
    if (tile->num_pixels == 1) {
        memset(weights, 0, 8);
        esv_conv_dsp_pixel(params, tile, inputs, table, out);
        return;
    }
    esv_conv_dsp_job job;
    job.weights = weights;
    job.low = 0x01010101u * (uint8_t)params->activation_min;
    job.high = 0x01010101u * (uint8_t)params->activation_max;
    for (uint32_t c = 0; c < params->out_channels; c += 2) {
        /* An odd last channel is computed together with the one before, once more. */
        const uint32_t second = c + 1u < params->out_channels ? c + 1u : c;
        const uint32_t first = second > 0 ? second - 1u : 0u;
        esv_conv_dsp_decode(params, tile->window, first, table, weights);
        esv_conv_dsp_decode(params, tile->window, second, table, weights + 4);
        esv_conv_dsp_channels(params, tile, &job, first, second, inputs, out);
    }
}

#endif
