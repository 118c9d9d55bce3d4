/* The exponential, by the same steps on every core. */
#include "esv_f32.h"

#include <string.h>

/* Beyond these the result is infinite, or 0. */
#define LARGEST 88.72284f
#define SMALLEST (-103.97208f)

static float power_of_two(int32_t exponent)
{
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* Splits x into n * ln 2 + r and returns exp(r) - 1: Taylor's series, r from -.35 to .35. */
static float split(float x, int32_t *n)
{
    const float steps = x * 1.44269504f;
    *n = (int32_t)(steps < 0.0f ? steps - 0.5f : steps + 0.5f);
    const float whole = (float)*n;
    const float r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
    float tail = 1.0f / 5040.0f;
    tail = tail * r + 1.0f / 720.0f;
    tail = tail * r + 1.0f / 120.0f;
    tail = tail * r + 1.0f / 24.0f;
    tail = tail * r + 1.0f / 6.0f;
    tail = tail * r + 0.5f;
    return r + (r * r) * tail;
}

float esv_f32_exp(float x)
{
    if (!(x < LARGEST)) {
        return x * 3.0e38f * 10.0f; /* infinite, or not a number */
    }
    if (x < SMALLEST) {
        return 0.0f;
    }
    int32_t n;
    const float value = 1.0f + split(x, &n);
    /* In two steps, for the result may be smaller than the smallest normal number, or its power too large. */
    const int32_t half = n / 2;
    return value * power_of_two(half) * power_of_two(n - half);
}

float esv_f32_exp_minus_one(float x)
{
    if (x > 40.0f || x < -40.0f || x != x) {
        return esv_f32_exp(x) - 1.0f;
    }
    int32_t n;
    const float rest = split(x, &n);
    const float power = power_of_two(n);
    return power * rest + (power - 1.0f);
}
