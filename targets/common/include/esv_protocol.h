/* The line protocol between a host and a device, the same on a board and in the emulator; docs/protocol.md describes
 * it.
 *
 *     esv_protocol_init(&protocol, device, &port);
 *     while (bytes arrive) esv_protocol_receive(&protocol, bytes, count);
 *
 * Every line gets one answer through port->write_line; its last line begins with OK or ERROR. Answers never hold an
 * embedding. */
#ifndef ESV_PROTOCOL_H
#define ESV_PROTOCOL_H

#include "esv.h"
#include "esv_base64.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_PROTOCOL_LINE_BYTES 64u /* longest command with its final zero; lines of PCM have any length */
#define ESV_PROTOCOL_SAMPLES 64u
#define ESV_PROTOCOL_MAX_DATA 65536u /* bytes of one binary frame */

typedef enum { ESV_PROTOCOL_COMMAND, ESV_PROTOCOL_PCM, ESV_PROTOCOL_DATA } esv_protocol_mode;

/* All fields are its own. */
typedef struct {
    esv *device;
    const esv_port *port;
    esv_protocol_mode mode;
    esv_status status; /* of the line so far */
    bool spoiled;      /* the recording misses samples */
    bool half;         /* a sample's low byte waits for its high byte */
    uint32_t left;     /* bytes of the binary frame still to come */
    uint16_t length;   /* of the line */
    uint16_t samples;  /* in pcm */
    esv_base64 base64;
    int16_t pcm[ESV_PROTOCOL_SAMPLES];
    char line[ESV_PROTOCOL_LINE_BYTES];
} esv_protocol;

/* port->write_line must be there. */
esv_status esv_protocol_init(esv_protocol *self, esv *device, const esv_port *port);

/* Takes whatever bytes arrived and answers the lines that they complete. bytes: (count). */
void esv_protocol_receive(esv_protocol *self, const uint8_t *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* ESV_PROTOCOL_H */
