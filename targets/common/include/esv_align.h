/* Alignment in C99, C11 and C++11. Write it first: ESV_ALIGNED(16) static uint8_t memory[BYTES]; */
#ifndef ESV_ALIGN_H
#define ESV_ALIGN_H

#if defined(__cplusplus) && __cplusplus >= 201103L
#define ESV_ALIGNED(bytes) alignas(bytes)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ESV_ALIGNED(bytes) _Alignas(bytes)
#elif defined(__GNUC__) || defined(__clang__)
#define ESV_ALIGNED(bytes) __attribute__((aligned(bytes)))
#else
#error "tell ESV_ALIGNED how this compiler aligns"
#endif

/* Rounds a size up to 16 bytes, the alignment of every memory block. */
#define ESV_ALIGN_UP(bytes) (((bytes) + 15u) / 16u * 16u)

#endif /* ESV_ALIGN_H */
