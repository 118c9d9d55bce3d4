#include "esv_square_root.h"

#include <stdint.h>
#include <string.h>

#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4)

float esv_square_root(float x)
{
    float out;
    __asm__("vsqrt.f32 %0, %1" : "=t"(out) : "t"(x));
    return out;
}

#else

/* The root of square * 2^18, rounded down to its 25 bits: two bits of the square make one of the root. */
static uint32_t esv_square_root_bits(uint32_t square)
{
    uint32_t root = 0, rest = 0;
    for (int i = 0; i < 25; ++i) {
        const uint32_t trial = (root << 2) | 1u;
        rest = (rest << 2) | (square >> 30);
        square <<= 2;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1u;
        }
    }
    return root;
}

float esv_square_root(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (!(x > 0.0f) || bits == 0x7f800000u) {
        return x < 0.0f ? (x - x) / (x - x) : x + x; /* zeros, infinity and what is no number */
    }
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t fraction = bits & 0x7fffffu;
    if (exponent > 0) {
        fraction |= 0x800000u;
    }
    for (exponent += exponent == 0; (fraction & 0x800000u) == 0; fraction <<= 1) {
        --exponent;
    }
    exponent -= 127;
    const uint32_t root = esv_square_root_bits(fraction << ((exponent & 1) != 0 ? 8 : 7));
    /* The last of the 25 bits rounds: what is left never makes it lie half way. */
    const uint32_t result = (uint32_t)((exponent >> 1) + 126) * 0x800000u + ((root + 1u) >> 1);
    float out;
    memcpy(&out, &result, sizeof out);
    return out;
}

#endif
