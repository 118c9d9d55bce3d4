/* Any bytes on the wire: every line gets one answer of the known kinds, and the device listens afterwards.
 *
 *     byte 0     how the device is equipped
 *     byte 1     size of the pieces in which the rest arrives */
#include <stdlib.h>
#include <string.h>

#include "device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begins(const char *line, const char *word) { return strncmp(line, word, strlen(word)) == 0; }

static void check_answers(void)
{
    for (const char *line = device_answers; *line != 0; line = strchr(line, '\n') + 1) {
        if (!begins(line, "OK") && !begins(line, "ERROR -") && !begins(line, "PRINT ")) {
            abort();
        }
    }
}

/* However the wire was left, as many line ends as the longest frame has bytes end it. */
static void check_listens(void)
{
    static uint8_t line_ends[ESV_PROTOCOL_MAX_DATA];
    memset(line_ends, '\n', sizeof line_ends);
    device_receive(line_ends, sizeof line_ends);
    device_clear_answers();
    device_receive((const uint8_t *)"HELLO\n", 6);
    if (!begins(device_answers, "OK edge-sv")) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    if (device_make(data[0] & 0x3fu) != ESV_OK) {
        abort();
    }
    const size_t piece = data[1] % 64u + 1u;
    bool frames = false;
    for (size_t at = 2; at < size; at += piece) {
        device_receive(data + at, size - at < piece ? size - at : piece);
        check_answers();
        device_clear_answers();
        frames = frames || memchr(data + at, 'D', size - at < piece ? size - at : piece) != NULL;
    }
    if (frames && data[1] >= 192) { /* seldom: it takes long */
        check_listens();
    }
    return 0;
}
