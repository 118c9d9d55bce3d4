#include "esv_text.h"

#define ESV_TEXT_LARGEST 2000.0f /* with six decimals it fits 31 bits */

static void esv_text_add_letter(esv_text *self, char letter)
{
    if (self->length + 1 < ESV_TEXT_BYTES) {
        self->text[self->length++] = letter;
        self->text[self->length] = 0;
    }
}

void esv_text_clear(esv_text *self)
{
    self->length = 0;
    self->text[0] = 0;
}

void esv_text_add(esv_text *self, const char *piece)
{
    while (*piece != 0) {
        esv_text_add_letter(self, *piece++);
    }
}

/* Appends a value with at least min_digits digits, up to 10. */
static void esv_text_add_digits(esv_text *self, uint32_t value, int min_digits)
{
    char digits[10];
    int count = 0;
    while (value > 0 || count < min_digits) {
        digits[count++] = (char)('0' + value % 10u);
        value /= 10u;
    }
    while (count > 0) {
        esv_text_add_letter(self, digits[--count]);
    }
}

void esv_text_add_unsigned(esv_text *self, uint32_t value) { esv_text_add_digits(self, value, 1); }

void esv_text_add_decimal(esv_text *self, float value)
{
    float size = value < 0.0f ? -value : value;
    if (!(size < ESV_TEXT_LARGEST)) {
        size = ESV_TEXT_LARGEST;
    }
    const uint32_t millionths = (uint32_t)(size * 1e6f + 0.5f);
    if (value < 0.0f && millionths > 0) {
        esv_text_add_letter(self, '-');
    }
    esv_text_add_digits(self, millionths / 1000000u, 1);
    esv_text_add_letter(self, '.');
    esv_text_add_digits(self, millionths % 1000000u, 6);
}

void esv_text_add_hex(esv_text *self, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; ++i) {
        esv_text_add_letter(self, digits[bytes[i] >> 4]);
        esv_text_add_letter(self, digits[bytes[i] & 15u]);
    }
}

/* These two are small; the C library's strchr and strcmp are fast, and 1.2 KB. */
char *esv_text_split(char *text)
{
    for (; *text != 0; ++text) {
        if (*text == ' ') {
            *text = 0;
            return text + 1;
        }
    }
    return NULL;
}

bool esv_text_equals(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

bool esv_text_read_unsigned(const char *text, uint32_t limit, uint32_t *value)
{
    uint32_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; ++at) {
        const uint32_t digit = (uint32_t)(*at - '0');
        if (digit > limit || number > (limit - digit) / 10u) {
            return false;
        }
        number = number * 10u + digit;
    }
    *value = number;
    return at != text && *at == 0;
}

bool esv_text_read_decimal(const char *text, float *value)
{
    const bool negative = *text == '-';
    uint32_t number = 0; /* below 10^7: a float holds it exactly, and so the divisor */
    float divisor = 1.0f;
    int digits = 0;
    bool point = false;
    for (text += negative; *text != 0; ++text) {
        if (*text == '.' && !point && digits > 0) {
            point = true;
        } else if (*text >= '0' && *text <= '9' && digits < 7) {
            number = number * 10u + (uint32_t)(*text - '0');
            divisor = point ? divisor * 10.0f : divisor;
            ++digits;
        } else {
            return false;
        }
    }
    *value = (negative ? -(float)number : (float)number) / divisor;
    return digits > 0;
}
