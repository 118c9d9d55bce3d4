#include "esv_move.h"

#include <string.h>

static void fill(const esv_move_params *p, uint8_t *out)
{
    const int16_t half = (int16_t)p->fill;
    const int8_t byte = (int8_t)p->fill;
    const void *value = p->fill_bytes == 4 ? (const void *)&p->fill : p->fill_bytes == 2 ? (const void *)&half : &byte;
    for (uint32_t i = 0; p->fill_bytes > 0 && i < p->out_bytes; i += p->fill_bytes) {
        memcpy(out + i, value, p->fill_bytes);
    }
}

/* The innermost dimension; single bytes without a call each. */
static void move_line(const esv_move_params *p, const uint8_t *in, uint8_t *out)
{
    const int32_t in_stride = p->in_strides[ESV_MOVE_RANK - 1], out_stride = p->out_strides[ESV_MOVE_RANK - 1];
    const uint32_t bytes = p->run_bytes;
    for (uint32_t n = p->sizes[ESV_MOVE_RANK - 1]; n > 0; --n, in += in_stride, out += out_stride) {
        if (bytes == 1) {
            *out = *in;
        } else {
            memcpy(out, in, bytes);
        }
    }
}

static void move(const esv_move_params *p, const uint8_t *in, uint8_t *out)
{
    const uint32_t *n = p->sizes;
    const int32_t *s = p->in_strides, *t = p->out_strides;
    for (uint32_t i = 0; i < n[0]; ++i) {
        for (uint32_t j = 0; j < n[1]; ++j) {
            for (uint32_t k = 0; k < n[2]; ++k) {
                for (uint32_t l = 0; l < n[3]; ++l) {
                    const int32_t from = (int32_t)i * s[0] + (int32_t)j * s[1] + (int32_t)k * s[2] + (int32_t)l * s[3];
                    const int32_t to = (int32_t)i * t[0] + (int32_t)j * t[1] + (int32_t)k * t[2] + (int32_t)l * t[3];
                    move_line(p, in + (int32_t)p->in_start + from, out + (int32_t)p->out_start + to);
                }
            }
        }
    }
}

void esv_move_whole(const esv_move_params *params, const void *in, void *out, void *scratch)
{
    (void)scratch;
    fill(params, (uint8_t *)out);
    move(params, (const uint8_t *)in, (uint8_t *)out);
}

void esv_move_row_s8(const esv_move_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    (void)scratch;
    fill(params, (uint8_t *)out);
    if (rows[0] != NULL) {
        move(params, (const uint8_t *)rows[0], (uint8_t *)out);
    }
}

void esv_concat_s8(const esv_concat_params *params, const int8_t *const rows[], int8_t *out, void *scratch)
{
    (void)scratch;
    for (int32_t place = 0; place < params->places; ++place) {
        for (int32_t part = 0; part < params->parts; ++part) {
            const size_t bytes = params->part_bytes[part];
            memcpy(out, rows[part] + (size_t)place * bytes, bytes);
            out += bytes;
        }
    }
}
