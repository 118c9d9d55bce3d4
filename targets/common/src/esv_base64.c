#include "esv_base64.h"

/* Returns the letter's six bits, or -1. */
static int esv_base64_value(char letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

int esv_base64_push(esv_base64 *self, char letter, uint8_t *bytes)
{
    int value = esv_base64_value(letter);
    if (letter == '=' && self->letters >= 2) {
        ++self->padding;
        value = 0;
    } else if (value < 0 || self->padding > 0) {
        return -1;
    }
    if (self->ended) {
        return -1;
    }
    self->bits = (self->bits << 6) | (uint32_t)value;
    if (++self->letters < 4) {
        return 0;
    }
    const int count = 3 - self->padding;
    for (int i = 0; i < count; ++i) {
        bytes[i] = (uint8_t)(self->bits >> (16 - 8 * i));
    }
    self->ended = self->padding > 0;
    self->letters = 0;
    return count;
}

bool esv_base64_is_whole(const esv_base64 *self) { return self->letters == 0; }
