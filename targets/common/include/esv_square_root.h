/* The square root of a float, correctly rounded as IEEE 754 asks: the bits of sqrtf, by the core's instruction or in
 * integers, without the C library, whose sqrtf brings errno and 1 KB of variables with it. */
#ifndef ESV_SQUARE_ROOT_H
#define ESV_SQUARE_ROOT_H

#ifdef __cplusplus
extern "C" {
#endif

float esv_square_root(float x);

#ifdef __cplusplus
}
#endif

#endif /* ESV_SQUARE_ROOT_H */
