/* SipHash-2-4 with 128-bit output: a message authentication code, small and fast without a multiplier.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", Indocrypt 2012; the 128-bit output is
 * that of the authors' reference code. */
#ifndef ESV_SIPHASH_H
#define ESV_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_SIPHASH_KEY_BYTES 16
#define ESV_SIPHASH_TAG_BYTES 16

/* key: (16); bytes: (count); tag: (16). */
void esv_siphash(const uint8_t *key, const void *bytes, size_t count, uint8_t *tag);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SIPHASH_H */
