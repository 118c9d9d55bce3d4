/* For sources whose float32 results are the same bits on every core: include it first.
 *
 * Each operation rounds on its own, so the compiler must not fuse a product and a sum. -ffp-contract=off or -std=c99
 * says that to GCC; this says it where neither was given. */
#ifndef ESV_FLOAT_H
#define ESV_FLOAT_H

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && defined(__FP_FAST_FMAF)
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__FAST_MATH__)
#error "the front end's results are defined by IEEE 754: compile it without -ffast-math"
#endif

#endif /* ESV_FLOAT_H */
