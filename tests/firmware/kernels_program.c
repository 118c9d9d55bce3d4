/* Runs kernels on random values and prints a line for each: its name, a hash of its outputs, instructions a value. The
 * same lines, but for the instructions, come from every core and from a computer. */
#include "emulator.h"

#include "esv_add.h"
#include "esv_extremum.h"
#include "esv_f32.h"
#include "esv_lookup.h"
#include "esv_mean.h"
#include "esv_mul.h"
#include "esv_pool.h"
#include "esv_prelu.h"
#include "esv_softmax.h"
#include "esv_squared_difference.h"

enum { MOST = 4096, ROUNDS = 16 };

static int8_t a[MOST], b[MOST], out[MOST];
static float x[MOST / 4], y[MOST / 4], z[MOST / 4];
static uint32_t state[MOST], random_state, hash;
static uint64_t instructions, values;

static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* A number from low to high. */
static int32_t between(int32_t low, int32_t high)
{
    return low + (int32_t)(random_bits() % (uint32_t)(high - low + 1));
}

static void fill(int8_t *to)
{
    for (size_t i = 0; i < MOST; ++i) {
        const uint32_t bits = random_bits();
        to[i] = (int8_t)((bits & 7) == 0 ? INT8_MIN : (bits & 7) == 1 ? INT8_MAX : (int32_t)(bits >> 24) - 128);
    }
}

/* A fused activation's limits, or none. */
static void choose_limits(int32_t *low, int32_t *high)
{
    *low = (random_bits() & 1) != 0 ? INT8_MIN : between(-100, 0);
    *high = (random_bits() & 1) != 0 ? INT8_MAX : between(1, 100);
}

static void take(const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 16777619U;
    }
}

static void tell(const char *name)
{
    emulator_write(name);
    emulator_write(" ");
    emulator_write_decimal(hash);
    emulator_write(" ");
    emulator_write_decimal(values == 0 ? 0 : instructions * 100 / values);
    emulator_write("\n");
    hash = 2166136261U;
    instructions = values = 0;
}

/* Every length up to 40, and one long run, which is counted. */
static size_t count_of(int32_t round) { return round < ROUNDS - 1 ? (size_t)between(0, 40) : MOST - 3; }

static void run_pair(const char *name, esv_broadcast_kernel *kernel, void *params, void (*choose)(void *params))
{

    for (int32_t round = 0; round < ROUNDS; ++round) {
        const size_t count = count_of(round), skip = (size_t)between(0, 3);
        choose(params);
        const uint64_t start = emulator_instructions();
        kernel(params, a + skip, b, out, count);
        instructions = emulator_instructions() - start;
        values = count;
        take(out, count);
    }
    tell(name);
}

static esv_add_params add;

static void choose_add(void *params)
{
    esv_add_params *p = (esv_add_params *)params;
    p->shift = between(16, 21);
    p->a_factor = between(-(3 << 18), 3 << 18);
    p->b_factor = between(-(3 << 18), 3 << 18);
    p->offset = between(-(1 << 27), 1 << 27);
    choose_limits(&p->out_min, &p->out_max);
}

static esv_add_rounded_params add_rounded;

static void choose_add_rounded(void *params)
{
    esv_add_rounded_params *p = (esv_add_rounded_params *)params;
    p->a_zero_point = between(-128, 127);
    p->a_multiplier = 1 << 30;
    p->a_shift = 0;
    p->b_zero_point = between(-128, 127);
    p->b_multiplier = between(1 << 30, INT32_MAX);
    p->b_shift = between(-12, -1);
    p->b_sign = (random_bits() & 1) != 0 ? 1 : -1;
    p->out_zero_point = between(-128, 127);
    p->out_multiplier = between(1 << 30, INT32_MAX);
    p->out_shift = between(-23, -16);
    choose_limits(&p->out_min, &p->out_max);
}

static esv_mul_params mul;

static void choose_mul(void *params)
{
    esv_mul_params *p = (esv_mul_params *)params;
    p->a_offset = between(-127, 128);
    p->b_offset = 2 * between(-127, 128);
    p->multiplier = between(1 << 30, INT32_MAX);
    p->shift = between(1, 22);
    p->out_offset = (1 << (p->shift - 1)) + between(-128, 127) * (1 << p->shift);
    choose_limits(&p->out_min, &p->out_max);
}

static esv_mul_rounded_params mul_rounded;

static void choose_mul_rounded(void *params)
{
    esv_mul_rounded_params *p = (esv_mul_rounded_params *)params;
    p->a_offset = between(-127, 128);
    p->b_offset = between(-127, 128);
    p->multiplier = between(1 << 30, INT32_MAX);
    p->shift = between(-31, 13);
    p->out_zero_point = between(-128, 127);
    choose_limits(&p->out_min, &p->out_max);
}

static esv_extremum_params extremum;

static void choose_extremum(void *params) { ((esv_extremum_params *)params)->sign = (random_bits() & 1) != 0 ? 1 : -1; }

static esv_prelu_params prelu;

static void choose_prelu(void *params)
{
    esv_prelu_params *p = (esv_prelu_params *)params;
    p->a_zero_point = between(-128, 127);
    p->b_zero_point = between(-128, 127);
    p->out_zero_point = between(-128, 127);
    p->positive_multiplier = between(1 << 30, INT32_MAX);
    p->positive_shift = between(-8, 2);
    p->negative_multiplier = between(1 << 30, INT32_MAX);
    p->negative_shift = between(-12, 2);
}

static void run_lookup(void)
{
    const esv_lookup_params params = {b};
    for (int32_t round = 0; round < ROUNDS; ++round) {
        const size_t count = count_of(round);
        const uint64_t start = emulator_instructions();
        esv_lookup_s8(&params, a + between(0, 3), out, count);
        instructions = emulator_instructions() - start;
        values = count;
        take(out, count);
    }
    tell("lookup");
}

static void run_pool(const char *name, void (*kernel)(const esv_pool_params *, const int8_t *const[], int8_t *, void *))
{
    for (int32_t round = 0; round < ROUNDS; ++round) {
        const int8_t *rows[3] = {a, (random_bits() & 1) != 0 ? NULL : a + 1501, a + 803};
        esv_pool_params p = {20, between(1, 40), 10, between(1, 3), between(1, 3), 2, 0, 0, 0};
        p.pad_left = between(0, p.kernel_width - 1);
        choose_limits(&p.out_min, &p.out_max);
        const uint64_t start = emulator_instructions();
        kernel(&p, rows, out, NULL);
        instructions += emulator_instructions() - start;
        values += (uint64_t)(10 * p.channels);
        take(out, (size_t)(10 * p.channels));
    }
    tell(name);
}

static void run_mean(void)
{
    for (int32_t round = 0; round < ROUNDS; ++round) {
        const int32_t channels = between(1, 60), width = between(1, 40), rows = between(1, 20);
        const esv_mean_params p = {
            width,          channels,           between(-128, 127),          between(1 << 30, INT32_MAX),
            between(-4, 2), between(-128, 127), (int32_t)(random_bits() & 1)};
        esv_mean_s8_begin(&p, state);
        const uint64_t start = emulator_instructions();
        for (int32_t row = 0; row < rows; ++row) {
            esv_mean_s8_add(&p, a + row, state);
        }
        instructions += emulator_instructions() - start;
        values += (uint64_t)(rows * width * channels);
        esv_mean_s8_finish(&p, state, (size_t)rows, out);
        take(out, (size_t)channels);
    }
    tell("mean");
}

static void run_softmax(void)
{
    static int32_t exps_q31[256];
    for (int32_t round = 0; round < ROUNDS; ++round) {
        uint32_t exp = 0x7FFFFFFFU;
        const uint32_t decay = (uint32_t)between(50000, 65500);
        for (size_t i = 0; i < 256; ++i) {
            exps_q31[i] = (int32_t)exp;
            exp = (uint32_t)(((uint64_t)exp * decay) >> 16);
        }
        const esv_softmax_params p = {between(1, 3), between(1, 1000), exps_q31};
        const int8_t *rows[1] = {a};
        const uint64_t start = emulator_instructions();
        esv_softmax_s8(&p, rows, out, NULL);
        instructions += emulator_instructions() - start;
        values += (uint64_t)(p.places * p.depth);
        take(out, (size_t)(p.places * p.depth));
    }
    tell("softmax");
}

static esv_squared_difference_params squared_difference;

static void choose_squared_difference(void *params)
{
    esv_squared_difference_params *p = (esv_squared_difference_params *)params;
    p->a_zero_point = between(-128, 127);
    p->a_multiplier = 1 << 30;
    p->a_shift = 0;
    p->b_zero_point = between(-128, 127);
    p->b_multiplier = between(1 << 30, INT32_MAX);
    p->b_shift = between(-12, -1);
    p->out_zero_point = between(-128, 127);
    p->out_multiplier = between(1 << 30, INT32_MAX);
    p->out_shift = between(-24, -14);
}

/* A number of any size that a net may have, of either sign. */
static float random_float(void)
{
    const float sizes[8] = {0.0f, 1e-30f, 1e-6f, 1e-3f, 0.1f, 1.0f, 10.0f, 40.0f};
    return (float)between(-1000, 1000) * 1e-3f * sizes[random_bits() & 7];
}

static void run_unary(const char *name, int32_t operation)
{
    const esv_unary_params params = {operation, 0.0f, 6.0f};
    for (size_t i = 0; i < MOST / 4; ++i) {
        x[i] = random_float();
        x[i] = operation == ESV_UNARY_SQRT || operation == ESV_UNARY_RSQRT ? x[i] * x[i] + 1e-38f : x[i];
    }
    const uint64_t start = emulator_instructions();
    esv_unary_f32(&params, x, z, MOST / 4);
    instructions = emulator_instructions() - start;
    values = MOST / 4;
    take(z, sizeof z);
    tell(name);
}

static void run_pairs_of_floats(void)
{
    for (int32_t operation = ESV_PAIR_ADD; operation <= ESV_PAIR_SQUARED_DIFFERENCE; ++operation) {
        const esv_pair_params params = {operation, -30.0f, 3e38f};
        for (size_t i = 0; i < MOST / 4; ++i) {
            x[i] = random_float();
            y[i] = random_float() + 1e-3f;
        }
        esv_pair_f32(&params, x, y, z, MOST / 4);
        take(z, sizeof z);
    }
    tell("pairs_of_floats");
}

static void run_softmax_of_floats(void)
{
    const esv_softmax_f32_params params = {8, MOST / 32, 0.5f};
    const float *rows[1] = {x};
    const uint64_t start = emulator_instructions();
    esv_softmax_f32(&params, rows, z, NULL);
    instructions = emulator_instructions() - start;
    values = MOST / 4;
    take(z, sizeof z);
    tell("softmax_of_floats");
}

static void run_mean_of_floats(void)
{
    const esv_mean_f32_params params = {4, MOST / 16, 1};
    esv_mean_f32_begin(&params, state);
    esv_mean_f32_add(&params, x, state);
    esv_mean_f32_add(&params, y, state);
    esv_mean_f32_finish(&params, state, 2, z);
    take(z, MOST / 4);
    tell("mean_of_floats");
}

int main(int argc, char *argv[])
{
    (void)argc;
    (void)argv;
    random_state = 20240229U;
    hash = 2166136261U;
    fill(a);
    fill(b);
    run_pair("add", esv_add_s8, &add, choose_add);
    run_pair("add_rounded", esv_add_rounded_s8, &add_rounded, choose_add_rounded);
    run_pair("mul", esv_mul_s8, &mul, choose_mul);
    run_pair("mul_rounded", esv_mul_rounded_s8, &mul_rounded, choose_mul_rounded);
    run_pair("extremum", esv_extremum_s8, &extremum, choose_extremum);
    run_pair("prelu", esv_prelu_s8, &prelu, choose_prelu);
    run_pair("squared_difference", esv_squared_difference_s8, &squared_difference, choose_squared_difference);
    run_lookup();
    run_pool("pool_max", esv_pool_max_s8);
    run_pool("pool_average", esv_pool_average_s8);
    run_mean();
    run_softmax();
    run_unary("sqrt", ESV_UNARY_SQRT);
    run_unary("rsqrt", ESV_UNARY_RSQRT);
    run_unary("exp", ESV_UNARY_EXP);
    run_unary("logistic", ESV_UNARY_LOGISTIC);
    run_unary("tanh", ESV_UNARY_TANH);
    run_pairs_of_floats();
    run_softmax_of_floats();
    run_mean_of_floats();
    return 0;
}
