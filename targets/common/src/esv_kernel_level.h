/* Which instructions kernels may use: portable C99, the DSP extension, or MVE. The latter two are written in GCC's and
 * Clang's assembler syntax. */
#ifndef ESV_KERNEL_LEVEL_H
#define ESV_KERNEL_LEVEL_H

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__)
#define ESV_LEVEL_MVE 1
#elif defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define ESV_LEVEL_DSP 1
#else
#define ESV_LEVEL_C99 1
#endif

/* A function that is written in assembler as a whole; the compiler must not conclude anything from its body. */
#if defined(__GNUC__) && !defined(__clang__)
#define ESV_NAKED __attribute__((naked, noinline, noipa))
#else
#define ESV_NAKED __attribute__((naked, noinline))
#endif

#endif /* ESV_KERNEL_LEVEL_H */
