/* Operators that only move values: slices, splits, transposition, padding, concatenation. */
#ifndef ESV_MOVE_H
#define ESV_MOVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ESV_MOVE_RANK = 5 };

/* A copy by runs of consecutive bytes: sizes[0] * ... * sizes[4] runs, the outermost dimension first. */
typedef struct {
    uint32_t sizes[ESV_MOVE_RANK];
    int32_t in_strides[ESV_MOVE_RANK]; /* bytes */
    int32_t out_strides[ESV_MOVE_RANK];
    uint32_t in_start; /* bytes to the first run */
    uint32_t out_start;
    uint32_t run_bytes;
    uint32_t out_bytes;  /* filled before, if fill_bytes is not 0 */
    uint32_t fill_bytes; /* of the repeated value: 0, 1, 2 or 4 */
    int32_t fill;
} esv_move_params;

/* Moves from a tensor to another. in, out: as params says; scratch is not used. */
void esv_move_whole(const esv_move_params *params, const void *in, void *out, void *scratch);

/* The same from a row to a row. rows: (1); a null pointer is a row that holds the repeated value. */
void esv_move_row_s8(const esv_move_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

/* Puts parts side by side, `places` times. */
typedef struct {
    int32_t parts;
    int32_t places;
    const uint16_t *part_bytes; /* (parts), of one place */
} esv_concat_params;

/* rows: (parts) pointers to (places, part_bytes); out: (places, sum of part_bytes); scratch is not used. */
void esv_concat_s8(const esv_concat_params *params, const int8_t *const rows[], int8_t *out, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* ESV_MOVE_H */
