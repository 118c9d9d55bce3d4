/* Base64 with padding, letter by letter.
 *
 * Source: RFC 4648, section 4. */
#ifndef ESV_BASE64_H
#define ESV_BASE64_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zeros at the start of a text. */
typedef struct {
    uint32_t bits;
    uint8_t letters; /* of the group of four so far */
    uint8_t padding; /* equals signs among them */
    bool ended;      /* a padded group was complete */
} esv_base64;

/* Takes a letter. Returns how many bytes it completes, 0 to 3, or -1: it cannot stand here. bytes: (3). */
int esv_base64_push(esv_base64 *self, char letter, uint8_t *bytes);

/* Whether the text may end here. */
bool esv_base64_is_whole(const esv_base64 *self);

#ifdef __cplusplus
}
#endif

#endif /* ESV_BASE64_H */
