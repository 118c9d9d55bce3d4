/* What a board gives: six functions, all optional but write_line, and the layout of its flash.
 *
 * Each takes the port's context and runs to its end before it returns. The library calls them from whatever context it
 * is called in, never from two at once. */
#ifndef ESV_PORT_H
#define ESV_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flash that holds nothing but voice prints: sector_count sectors side by side, at offsets 0, sector_bytes, ...
 *
 * Erased bytes read 0xFF. A program unit is programmed once after each erase, never twice, so flash with an error
 * correcting code works. A read that the code cannot correct answers ESV_ERR_FLASH; it costs what was there, no more.
 */
typedef struct {
    void *context;
    /* bytes: (count), from an offset of any alignment. */
    esv_status (*read)(void *context, uint32_t offset, void *bytes, size_t count);
    /* bytes: (count), 16-byte aligned; offset and count are multiples of program_bytes. Done when it returns. */
    esv_status (*program)(void *context, uint32_t offset, const void *bytes, size_t count);
    /* Sets the sector that starts at offset to 0xFF. A sector here may be several of the chip's. */
    esv_status (*erase)(void *context, uint32_t offset);
    uint32_t sector_bytes;
    uint16_t sector_count;  /* 2 or more */
    uint16_t program_bytes; /* 1, 4, 8, 16 or 32 */
} esv_flash;

typedef struct {
    void *context;
    const esv_flash *flash;    /* null: voice prints cannot be kept */
    const uint8_t *device_key; /* (16) secret of this one device; null: prints are not authenticated */
    /* Milliseconds since some moment, wrapping around; null: times are not told. */
    uint32_t (*milliseconds)(void *context);
    /* Sends a line to the host; line: text without a line end, which this adds. */
    void (*write_line)(void *context, const char *line);
    /* Waits for microphone samples and returns how many it gave, 0 when there are none to come; null: no microphone.
     * pcm: (count), at the model's sample rate. */
    size_t (*record)(void *context, int16_t *pcm, size_t count);
} esv_port;

#ifdef __cplusplus
}
#endif

#endif /* ESV_PORT_H */
