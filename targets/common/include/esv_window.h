/* Which rows of a tensor a convolution or a pooling computes an output row from. */
#ifndef ESV_WINDOW_H
#define ESV_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint32_t in_rows;
    uint32_t out_rows;
    uint32_t in_stride;  /* values from one input row to the next */
    uint32_t out_stride; /* values from one output row to the next */
    uint32_t taps;       /* rows that an output row needs */
    uint32_t stride;     /* input rows from one output row to the next */
    uint32_t dilation;   /* input rows from one tap to the next */
    uint32_t pad_top;    /* rows of padding above the input */
    int32_t pad_value;   /* what a row of padding holds */
} esv_window;

/* Returns the input row of a tap of an output row, -1 where it is padding. */
static inline int32_t esv_window_row(const esv_window *window, uint32_t out_row, uint32_t tap)
{
    const int32_t row = (int32_t)(out_row * window->stride + tap * window->dilation) - (int32_t)window->pad_top;
    return row < (int32_t)window->in_rows ? (row < 0 ? -1 : row) : -1;
}

#ifdef __cplusplus
}
#endif

#endif /* ESV_WINDOW_H */
