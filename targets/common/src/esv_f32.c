#include "esv_f32.h"

#include <string.h>

#include "esv_square_root.h"

static float limit(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

static float combine(int32_t operation, float a, float b)
{
    switch (operation) {
    case ESV_PAIR_ADD:
        return a + b;
    case ESV_PAIR_SUB:
        return a - b;
    case ESV_PAIR_MUL:
        return a * b;
    case ESV_PAIR_DIV:
        return a / b;
    case ESV_PAIR_MAXIMUM:
        return a > b ? a : b;
    case ESV_PAIR_MINIMUM:
        return a < b ? a : b;
    default:
        return (a - b) * (a - b);
    }
}

void esv_pair_f32(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_pair_params *p = (const esv_pair_params *)params;
    const float *x = (const float *)a, *y = (const float *)b;
    for (size_t i = 0; i < count; ++i) {
        const float value = combine(p->operation, x[i], y[i]);
        ((float *)out)[i] = p->operation <= ESV_PAIR_DIV ? limit(value, p->low, p->high) : value;
    }
}

void esv_pair_broadcast_f32(const void *params, const void *a, const void *b, void *out, size_t count)
{
    const esv_pair_broadcast_params *p = (const esv_pair_broadcast_params *)params;
    esv_broadcast_run(&p->shape, esv_pair_f32, &p->pair, a, b, out, count);
}

/* Source: TensorFlow Lite, kernels/internal/reference/logistic.h, for where it takes which form. */
static float logistic(float x)
{
    if (x > 16.619047f) {
        return 1.0f;
    }
    return x < -9.0f ? esv_f32_exp(x) : 1.0f / (1.0f + esv_f32_exp(-x));
}

static float hyperbolic_tangent(float x)
{
    const float size = x < 0.0f ? -x : x;
    const float t = size > 10.0f ? 1.0f : esv_f32_exp_minus_one(2.0f * size);
    const float out = size > 10.0f ? 1.0f : t / (t + 2.0f);
    return x < 0.0f ? -out : x != x ? x : out;
}

static float apply(const esv_unary_params *p, float x)
{
    switch (p->operation) {
    case ESV_UNARY_LIMIT:
        return limit(x, p->low, p->high);
    case ESV_UNARY_ABS:
        return x < 0.0f ? -x : x;
    case ESV_UNARY_NEG:
        return -x;
    case ESV_UNARY_SQUARE:
        return x * x;
    case ESV_UNARY_SQRT:
        return esv_square_root(x);
    case ESV_UNARY_RSQRT:
        return 1.0f / esv_square_root(x);
    case ESV_UNARY_EXP:
        return esv_f32_exp(x);
    case ESV_UNARY_LOGISTIC:
        return logistic(x);
    default:
        return hyperbolic_tangent(x);
    }
}

void esv_unary_f32(const esv_unary_params *params, const float *a, float *out, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        out[i] = apply(params, a[i]);
    }
}

static void softmax(const float *in, float beta, size_t depth, float *out)
{
    float largest = in[0], sum = 0.0f;
    for (size_t i = 1; i < depth; ++i) {
        largest = in[i] > largest ? in[i] : largest;
    }
    for (size_t i = 0; i < depth; ++i) {
        out[i] = esv_f32_exp((in[i] - largest) * beta);
        sum += out[i];
    }
    for (size_t i = 0; i < depth; ++i) {
        out[i] /= sum;
    }
}

void esv_softmax_f32(const esv_softmax_f32_params *params, const float *const rows[], float *out, void *scratch)
{
    const size_t depth = (size_t)params->depth;
    (void)scratch;
    for (size_t place = 0; place < (size_t)params->places; ++place) {
        softmax(rows[0] + place * depth, params->beta, depth, out + place * depth);
    }
}

void esv_mean_f32_begin(const esv_mean_f32_params *params, void *state)
{
    memset(state, 0, (size_t)params->channels * sizeof(float));
}

void esv_mean_f32_add(const esv_mean_f32_params *params, const float *row, void *state)
{
    float *sums = (float *)state;
    for (int32_t i = 0; i < params->width; ++i, row += params->channels) {
        for (int32_t channel = 0; channel < params->channels; ++channel) {
            sums[channel] += row[channel];
        }
    }
}

void esv_mean_f32_finish(const esv_mean_f32_params *params, void *state, size_t num_rows, float *out)
{
    const float *sums = (const float *)state;
    const float count = (float)(num_rows * (size_t)params->width);
    for (int32_t channel = 0; channel < params->channels; ++channel) {
        out[channel] = params->divides != 0 ? sums[channel] / count : sums[channel];
    }
}

void esv_mean_row_f32(const esv_mean_row_f32_params *params, const float *const rows[], float *out, void *scratch)
{
    const esv_mean_f32_params *p = &params->mean;
    const float *in = rows[0];
    for (int32_t place = 0; place < params->places; ++place) {
        esv_mean_f32_begin(p, scratch);
        esv_mean_f32_add(p, in, scratch);
        esv_mean_f32_finish(p, scratch, 1, out);
        in += p->width * p->channels;
        out += p->channels;
    }
}

void esv_quantize_s8(const esv_tensor_grid *params, const float *a, int8_t *out, size_t count)
{
    esv_tensor_quantize(a, count, *params, out);
}

void esv_dequantize_s8(const esv_tensor_grid *params, const int8_t *a, float *out, size_t count)
{
    esv_tensor_dequantize(a, count, *params, out);
}
