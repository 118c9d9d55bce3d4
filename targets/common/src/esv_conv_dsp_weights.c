/* Weights for the DSP extension: widened once for many pixels, or read from flash for a single one. */
#include "esv_conv_dsp.h"

#ifdef ESV_LEVEL_DSP

#include <string.h>

#define ESV_TABLE_PAYS 400 /* weights of a channel from which a table of 256 pairs of its own is worth its making */

/* Where the four bytes of a group lie as (0 2) and (1 3). */
static inline uint32_t esv_even_bytes(uint32_t word)
{
    uint32_t out;
    __asm__("sxtb16 %0, %1" : "=r"(out) : "r"(word));
    return out;
}

static inline uint32_t esv_odd_bytes(uint32_t word)
{
    uint32_t out;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(out) : "r"(word));
    return out;
}

/* Subtracts the 8 that is added to 4-bit weights, byte by byte. */
static inline uint32_t esv_minus_eight(uint32_t bytes)
{
    uint32_t out;
    __asm__("ssub8 %0, %1, %2" : "=r"(out) : "r"(bytes), "r"(0x08080808u));
    return out;
}

static inline int32_t esv_add_products(uint32_t a, uint32_t b, int32_t sum)
{
    int32_t out;
    __asm__("smlad %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
}

/* clang-format off */
#define ESV_WIDEN(step)                                              \
    "ldr    %[a], [%[in]], #4\n"                                     \
    "sxtb16 %[b], %[a], ror #8\n"                                    \
    "sxtb16 %[a], %[a]\n"                                            \
    "strd   %[a], %[b], [%[out]], #" step "\n"

/* in: (num_groups, 4); out: (num_groups, 4), the groups `step` bytes apart. */
#define ESV_DEFINE_WIDEN(name, step)                                 \
    static void name(const int8_t *in, uint32_t num_groups, int16_t *out) \
    {                                                                \
        uint32_t a, b, count;                                        \
        __asm__ volatile("lsrs   %[count], %[groups], #2\n"          \
                         "beq    2f\n"                               \
                         "1:\n" ESV_WIDEN(step) ESV_WIDEN(step) ESV_WIDEN(step) ESV_WIDEN(step) \
                         "subs   %[count], %[count], #1\n"           \
                         "bne    1b\n"                               \
                         "2:\n"                                      \
                         "ands   %[count], %[groups], #3\n"          \
                         "beq    4f\n"                               \
                         "3:\n" ESV_WIDEN(step)                      \
                         "subs   %[count], %[count], #1\n"           \
                         "bne    3b\n"                               \
                         "4:\n"                                      \
                         : [in] "+r"(in), [out] "+r"(out), [a] "=&r"(a), [b] "=&r"(b), [count] "=&r"(count) \
                         : [groups] "r"(num_groups)                  \
                         : "cc", "memory");                          \
    }
/* clang-format on */

ESV_DEFINE_WIDEN(esv_widen_dense, "8")
ESV_DEFINE_WIDEN(esv_widen_interleaved, "16")

void esv_conv_dsp_widen(const int8_t *in, uint32_t num_groups, int16_t *out) { esv_widen_dense(in, num_groups, out); }

/* packed: (num_words) words of 8 weights; out: (2 * num_words groups, 4), 8 values apart. */
static void esv_decode_s4(const uint32_t *packed, uint32_t num_words, uint32_t *out)
{
    for (const uint32_t *end = packed + num_words; packed < end; out += 8) {
        const uint32_t word = *packed++;
        const uint32_t low = esv_minus_eight(word & 0x0F0F0F0Fu);
        const uint32_t high = esv_minus_eight((word >> 4) & 0x0F0F0F0Fu);
        out[0] = esv_even_bytes(low);
        out[1] = esv_odd_bytes(low);
        out[4] = esv_even_bytes(high);
        out[5] = esv_odd_bytes(high);
    }
}

/* row = lower | upper, four at a time. count: a multiple of 4, from 4; row may be lower. */
static void esv_fill_row(const uint32_t *lower, uint32_t upper, uint32_t count, uint32_t *row)
{
    uint32_t a, b;
    __asm__ volatile("1:\n"
                     "ldrd   %[a], %[b], [%[lower]], #8\n"
                     "orr    %[a], %[a], %[upper]\n"
                     "orr    %[b], %[b], %[upper]\n"
                     "strd   %[a], %[b], [%[row]], #8\n"
                     "ldrd   %[a], %[b], [%[lower]], #8\n"
                     "orr    %[a], %[a], %[upper]\n"
                     "orr    %[b], %[b], %[upper]\n"
                     "strd   %[a], %[b], [%[row]], #8\n"
                     "subs   %[count], %[count], #4\n"
                     "bne    1b\n"
                     : [lower] "+r"(lower), [row] "+r"(row), [count] "+r"(count), [a] "=&r"(a), [b] "=&r"(b)
                     : [upper] "r"(upper)
                     : "cc", "memory");
}

void esv_conv_dsp_fill_table(const int8_t *codebook, uint32_t bits, uint32_t *table)
{
    const uint32_t count = 1u << bits;
    for (uint32_t i = 0; i < count; ++i) {
        table[i] = (uint32_t)(int32_t)codebook[i] & 0xFFFFu;
    }
    /* From the last row, since the first one serves the others. */
    for (uint32_t j = count; j-- > 0;) {
        const uint32_t upper = (uint32_t)(int32_t)codebook[j] << 16;
        if (count >= 4u) {
            esv_fill_row(table, upper, count, table + (j << bits));
        } else {
            table[2u * j] = table[0] | upper;
            table[2u * j + 1u] = table[1] | upper;
        }
    }
}

/* packed: (num_words) words of 8 indices, from 1; out: (2 * num_words groups, 4), 8 values apart. */
static void esv_decode_pairs4(const uint8_t *packed, uint32_t num_words, const uint32_t *table, uint32_t *out)
{
    uint32_t a, b, w;
    __asm__ volatile(
        "1:\n"
        "ldr    %[w], [%[packed]], #4\n"
        "uxtb   %[a], %[w]\n"
        "uxtb   %[b], %[w], ror #8\n"
        "ldr    %[a], [%[table], %[a], lsl #2]\n"
        "ldr    %[b], [%[table], %[b], lsl #2]\n"
        "strd   %[a], %[b], [%[out]], #16\n"
        "uxtb   %[a], %[w], ror #16\n"
        "lsrs   %[b], %[w], #24\n"
        "ldr    %[a], [%[table], %[a], lsl #2]\n"
        "ldr    %[b], [%[table], %[b], lsl #2]\n"
        "strd   %[a], %[b], [%[out]], #16\n"
        "subs   %[count], %[count], #1\n"
        "bne    1b\n"
        : [packed] "+r"(packed), [out] "+r"(out), [count] "+r"(num_words), [a] "=&r"(a), [b] "=&r"(b), [w] "=&r"(w)
        : [table] "r"(table)
        : "cc", "memory");
}

/* A group of eight palette indices, little endian. */
static inline uint32_t esv_take_indices(const uint8_t *packed, uint32_t bits)
{
    uint32_t word = 0;
    memcpy(&word, packed, bits);
    return word;
}

static inline void esv_decode_pairs(const uint8_t *packed, const uint32_t bits, uint32_t num_words,
                                    const uint32_t *table, uint32_t *out)
{
    const uint32_t mask = (1u << (2u * bits)) - 1u;
    for (; num_words > 0; --num_words, packed += bits, out += 8) {
        const uint32_t word = esv_take_indices(packed, bits);
        out[0] = table[word & mask];
        out[1] = table[(word >> (2u * bits)) & mask];
        out[4] = table[(word >> (4u * bits)) & mask];
        out[5] = table[(word >> (6u * bits)) & mask];
    }
}

/* Without a table of pairs: cheaper where a channel has few weights. */
static void esv_decode_singles(const uint32_t *packed, uint32_t num_words, const int8_t *codebook, int16_t *out)
{
    for (const uint32_t *end = packed + num_words; packed < end; out += 16) {
        const uint32_t word = *packed++;
        out[0] = codebook[word & 15u];
        out[1] = codebook[(word >> 4) & 15u];
        out[2] = codebook[(word >> 8) & 15u];
        out[3] = codebook[(word >> 12) & 15u];
        out[8] = codebook[(word >> 16) & 15u];
        out[9] = codebook[(word >> 20) & 15u];
        out[10] = codebook[(word >> 24) & 15u];
        out[11] = codebook[word >> 28];
    }
}

static void esv_decode_palette(const esv_conv_params *params, uint32_t window, uint32_t channel, uint32_t *table,
                               int16_t *out)
{
    const uint32_t bits = params->weight_bits;
    const uint32_t words = (window + 7u) / 8u;
    const uint8_t *packed = (const uint8_t *)params->weights + channel * words * bits;
    if (params->codebook_stride != 0) {
        const int8_t *codebook = params->codebook + channel * params->codebook_stride;
        if (bits == 4 && window < ESV_TABLE_PAYS) {
            esv_decode_singles((const uint32_t *)(const void *)packed, words, codebook, out);
            return;
        }
        esv_conv_dsp_fill_table(codebook, bits, table);
    }
    uint32_t *pairs = (uint32_t *)(void *)out;
    switch (bits) { /* each with its own constant shifts */
    case 1:
        esv_decode_pairs(packed, 1, words, table, pairs);
        break;
    case 2:
        esv_decode_pairs(packed, 2, words, table, pairs);
        break;
    case 3:
        esv_decode_pairs(packed, 3, words, table, pairs);
        break;
    default:
        esv_decode_pairs4(packed, words, table, pairs);
        break;
    }
}

void esv_conv_dsp_decode(const esv_conv_params *params, uint32_t window, uint32_t channel, uint32_t *table,
                         int16_t *out)
{
    if (params->codebook != NULL) {
        esv_decode_palette(params, window, channel, table, out);
    } else if (params->weight_bits == 4) {
        const uint32_t words = (window + 7u) / 8u;
        esv_decode_s4((const uint32_t *)params->weights + channel * words, words, (uint32_t *)(void *)out);
    } else {
        esv_widen_interleaved((const int8_t *)params->weights + channel * window, window / 4u, out);
    }
}

/* clang-format off */
#define ESV_DOT_S8                                                   \
    "ldr    %[w], [%[weights]], #4\n"                                \
    "ldrd   %[a], %[b], [%[inputs]], #8\n"                           \
    "sxtb16 %[v], %[w]\n"                                            \
    "smlad  %[sum], %[v], %[a], %[sum]\n"                            \
    "sxtb16 %[w], %[w], ror #8\n"                                    \
    "smlad  %[sum], %[w], %[b], %[sum]\n"

/* weights, inputs: (num_groups, 4). */
static int32_t esv_dot_s8(const uint32_t *weights, uint32_t num_groups, const uint32_t *inputs, int32_t sum)
{
    uint32_t a, b, v, w, count;
    __asm__ volatile("lsrs   %[count], %[groups], #2\n"
                     "beq    2f\n"
                     "1:\n" ESV_DOT_S8 ESV_DOT_S8 ESV_DOT_S8 ESV_DOT_S8
                     "subs   %[count], %[count], #1\n"
                     "bne    1b\n"
                     "2:\n"
                     "ands   %[count], %[groups], #3\n"
                     "beq    4f\n"
                     "3:\n" ESV_DOT_S8
                     "subs   %[count], %[count], #1\n"
                     "bne    3b\n"
                     "4:\n"
                     : [weights] "+r"(weights), [inputs] "+r"(inputs), [sum] "+r"(sum), [a] "=&r"(a), [b] "=&r"(b),
                       [v] "=&r"(v), [w] "=&r"(w), [count] "=&r"(count)
                     : [groups] "r"(num_groups)
                     : "cc", "memory");
    return sum;
}

/* num_words: of 8 weights, from 1; inputs: (2 * num_words, 4), the last group zeros where the window has none. */
static int32_t esv_dot_s4(const uint32_t *weights, uint32_t num_words, const uint32_t *inputs, int32_t sum)
{
    uint32_t a, b, t, v, w;
    __asm__ volatile("1:\n"
                     "ldr    %[w], [%[weights]], #4\n"
                     "ldrd   %[a], %[b], [%[inputs]], #8\n"
                     "and    %[v], %[w], #0x0F0F0F0F\n"
                     "ssub8  %[v], %[v], %[eight]\n"
                     "lsrs   %[w], %[w], #4\n"
                     "and    %[w], %[w], #0x0F0F0F0F\n"
                     "ssub8  %[w], %[w], %[eight]\n"
                     "sxtb16 %[t], %[v]\n"
                     "smlad  %[sum], %[t], %[a], %[sum]\n"
                     "sxtb16 %[v], %[v], ror #8\n"
                     "smlad  %[sum], %[v], %[b], %[sum]\n"
                     "ldrd   %[a], %[b], [%[inputs]], #8\n"
                     "sxtb16 %[t], %[w]\n"
                     "smlad  %[sum], %[t], %[a], %[sum]\n"
                     "sxtb16 %[w], %[w], ror #8\n"
                     "smlad  %[sum], %[w], %[b], %[sum]\n"
                     "subs   %[count], %[count], #1\n"
                     "bne    1b\n"
                     : [weights] "+r"(weights), [inputs] "+r"(inputs), [sum] "+r"(sum), [count] "+r"(num_words),
                       [a] "=&r"(a), [b] "=&r"(b), [v] "=&r"(v), [w] "=&r"(w), [t] "=&r"(t)
                     : [eight] "r"(0x08080808u)
                     : "cc", "memory");
    return sum;
}
/* clang-format on */

static inline int32_t esv_dot_pairs(const uint8_t *packed, const uint32_t bits, uint32_t num_words,
                                    const uint32_t *table, const uint32_t *inputs, int32_t sum)
{
    const uint32_t mask = (1u << (2u * bits)) - 1u;
    for (; num_words > 0; --num_words, packed += bits, inputs += 4) {
        const uint32_t word = esv_take_indices(packed, bits);
        sum = esv_add_products(table[word & mask], inputs[0], sum);
        sum = esv_add_products(table[(word >> (2u * bits)) & mask], inputs[1], sum);
        sum = esv_add_products(table[(word >> (4u * bits)) & mask], inputs[2], sum);
        sum = esv_add_products(table[(word >> (6u * bits)) & mask], inputs[3], sum);
    }
    return sum;
}

int32_t esv_conv_dsp_dot(const esv_conv_params *params, uint32_t window, uint32_t channel, uint32_t *table,
                         const int16_t *inputs)
{
    const uint32_t *pairs = (const uint32_t *)(const void *)inputs;
    const uint32_t words = (window + 7u) / 8u;
    const uint32_t bits = params->weight_bits;
    const int32_t bias = params->bias[channel];
    if (bits == 8) {
        return esv_dot_s8((const uint32_t *)params->weights + channel * (window / 4u), window / 4u, pairs, bias);
    }
    const uint8_t *packed = (const uint8_t *)params->weights + channel * words * bits;
    if (params->codebook == NULL) {
        return esv_dot_s4((const uint32_t *)(const void *)packed, words, pairs, bias);
    }
    if (params->codebook_stride != 0) {
        esv_conv_dsp_fill_table(params->codebook + channel * params->codebook_stride, bits, table);
    }
    switch (bits) { /* each with its own constant shifts */
    case 1:
        return esv_dot_pairs(packed, 1, words, table, pairs, bias);
    case 2:
        return esv_dot_pairs(packed, 2, words, table, pairs, bias);
    case 3:
        return esv_dot_pairs(packed, 3, words, table, pairs, bias);
    default:
        return esv_dot_pairs(packed, 4, words, table, pairs, bias);
    }
}

#endif
