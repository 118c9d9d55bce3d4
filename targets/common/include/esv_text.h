/* Short texts without stdio: pieces are appended to a line, numbers read from one. */
#ifndef ESV_TEXT_H
#define ESV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_TEXT_BYTES 128u

/* Always ends with a zero; what does not fit is cut off. */
typedef struct {
    char text[ESV_TEXT_BYTES];
    size_t length;
} esv_text;

void esv_text_clear(esv_text *self);
void esv_text_add(esv_text *self, const char *piece);
void esv_text_add_unsigned(esv_text *self, uint32_t value);
/* Appends a value with six decimals, limited to -2000 .. 2000. */
void esv_text_add_decimal(esv_text *self, float value);
/* bytes: (count), as two hexadecimal digits each. */
void esv_text_add_hex(esv_text *self, const uint8_t *bytes, size_t count);

/* Ends a text at its first blank. Returns what follows that, or null when there is none. */
char *esv_text_split(char *text);
bool esv_text_equals(const char *a, const char *b);

/* Reads digits to the end of the text. False: something else, nothing, or more than limit. */
bool esv_text_read_unsigned(const char *text, uint32_t limit, uint32_t *value);
/* Reads [-]digits[.digits], at most seven digits, to the nearest float. */
bool esv_text_read_decimal(const char *text, float *value);

#ifdef __cplusplus
}
#endif

#endif /* ESV_TEXT_H */
