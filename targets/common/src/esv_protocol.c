#include "esv_protocol.h"

#include <string.h>

#include "esv_text.h"

#define ESV_PROTOCOL_MAX_LISTEN 16000000u /* samples */

/* ---- commands: each appends to the answer after "OK"; argument: null when there is none ---- */

typedef esv_status esv_protocol_run(esv_protocol *self, const char *argument, esv_text *answer);

static esv_status esv_protocol_hello(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)argument;
    esv_text_add(answer, " edge-sv ");
    esv_text_add(answer, esv_version());
    esv_text_add(answer, " protocol=1 model=");
    esv_text_add_hex(answer, esv_configuration(self->device)->net->model_sha256, 6);
    return ESV_OK;
}

static esv_status esv_protocol_threshold(esv_protocol *self, const char *argument, esv_text *answer)
{
    float threshold;
    if (argument != NULL) {
        if (!esv_text_read_decimal(argument, &threshold)) {
            return ESV_ERR_COMMAND;
        }
        (void)esv_set_threshold(self->device, threshold); /* seven digits are finite */
    }
    esv_text_add(answer, " threshold=");
    esv_text_add_decimal(answer, esv_threshold(self->device));
    return ESV_OK;
}

static esv_status esv_protocol_status(esv_protocol *self, const char *argument, esv_text *answer)
{
    esv_store_usage usage;
    const esv_status store = esv_measure(self->device, &usage);
    esv_text_add(answer, " prints=");
    esv_text_add_unsigned(answer, usage.prints);
    esv_text_add(answer, " capacity=");
    esv_text_add_unsigned(answer, usage.capacity);
    esv_text_add(answer, " spoiled=");
    esv_text_add_unsigned(answer, usage.spoiled);
    esv_text_add(answer, store == ESV_OK ? " store=" : " store=-");
    esv_text_add_unsigned(answer, (uint32_t)-store);
    return esv_protocol_threshold(self, argument, answer);
}

static esv_status esv_protocol_begin(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)argument;
    (void)answer;
    self->spoiled = false;
    return esv_begin(self->device);
}

static esv_status esv_protocol_end(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)argument;
    if (self->spoiled) {
        return ESV_ERR_ORDER;
    }
    const esv_port *port = self->port;
    const uint32_t start = port->milliseconds == NULL ? 0 : port->milliseconds(port->context);
    const esv_status status = esv_finish(self->device, NULL);
    if (port->milliseconds != NULL) {
        esv_text_add(answer, " ms=");
        esv_text_add_unsigned(answer, port->milliseconds(port->context) - start);
    }
    return status;
}

static esv_status esv_protocol_listen(esv_protocol *self, const char *argument, esv_text *answer)
{
    const esv_port *port = self->port;
    uint32_t wanted;
    if (port->record == NULL) {
        return ESV_ERR_NO_AUDIO;
    }
    if (!esv_text_read_unsigned(argument, ESV_PROTOCOL_MAX_LISTEN, &wanted)) {
        return ESV_ERR_COMMAND;
    }
    uint32_t done = 0;
    esv_status status = ESV_OK;
    while (done < wanted && status == ESV_OK) {
        const size_t room = wanted - done < ESV_PROTOCOL_SAMPLES ? wanted - done : ESV_PROTOCOL_SAMPLES;
        const size_t given = port->record(port->context, self->pcm, room);
        if (given == 0) {
            break;
        }
        status = esv_feed(self->device, self->pcm, given);
        done += (uint32_t)given;
    }
    esv_text_add(answer, " samples=");
    esv_text_add_unsigned(answer, done);
    return status;
}

static esv_status esv_protocol_enroll(esv_protocol *self, const char *argument, esv_text *answer)
{
    uint32_t recordings = 0;
    const esv_status status = esv_enroll(self->device, argument, &recordings);
    esv_text_add(answer, " recordings=");
    esv_text_add_unsigned(answer, recordings);
    return status;
}

static esv_status esv_protocol_verify(esv_protocol *self, const char *argument, esv_text *answer)
{
    esv_decision decision = {0.0f, 0.0f, false};
    const esv_status status = esv_verify(self->device, argument, &decision);
    esv_text_add(answer, decision.accepted ? " ACCEPTED score=" : " REJECTED score=");
    esv_text_add_decimal(answer, decision.score);
    esv_text_add(answer, " threshold=");
    esv_text_add_decimal(answer, decision.threshold);
    return status;
}

static esv_status esv_protocol_list(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)argument;
    esv_store_print print;
    esv_text line;
    uint32_t cursor = 0, count = 0;
    esv_status status;
    while ((status = esv_next(self->device, &cursor, &print)) == ESV_OK) {
        esv_text_clear(&line);
        esv_text_add(&line, "PRINT ");
        esv_text_add(&line, print.name);
        esv_text_add(&line, " recordings=");
        esv_text_add_unsigned(&line, print.recordings);
        self->port->write_line(self->port->context, line.text);
        ++count;
    }
    esv_text_add(answer, " prints=");
    esv_text_add_unsigned(answer, count);
    return status == ESV_ERR_NO_PRINT ? ESV_OK : status;
}

static esv_status esv_protocol_wipe(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)answer;
    return esv_wipe(self->device, argument);
}

static esv_status esv_protocol_data(esv_protocol *self, const char *argument, esv_text *answer)
{
    (void)answer;
    if (!esv_text_read_unsigned(argument, ESV_PROTOCOL_MAX_DATA, &self->left) || self->left == 0 ||
        self->left % 2 != 0) {
        self->left = 0;
        return ESV_ERR_COMMAND;
    }
    self->mode = ESV_PROTOCOL_DATA; /* the answer follows the bytes */
    return ESV_OK;
}

typedef enum { ESV_PROTOCOL_NO_ARGUMENT, ESV_PROTOCOL_MAY, ESV_PROTOCOL_MUST } esv_protocol_need;

typedef struct {
    char name[10];
    uint8_t argument; /* esv_protocol_need */
    esv_protocol_run *run;
} esv_protocol_entry;

static const esv_protocol_entry esv_protocol_commands[] = {
    {"HELLO", ESV_PROTOCOL_NO_ARGUMENT, esv_protocol_hello}, {"STATUS", ESV_PROTOCOL_NO_ARGUMENT, esv_protocol_status},
    {"BEGIN", ESV_PROTOCOL_NO_ARGUMENT, esv_protocol_begin}, {"DATA", ESV_PROTOCOL_MUST, esv_protocol_data},
    {"LISTEN", ESV_PROTOCOL_MUST, esv_protocol_listen},      {"END", ESV_PROTOCOL_NO_ARGUMENT, esv_protocol_end},
    {"ENROLL", ESV_PROTOCOL_MUST, esv_protocol_enroll},      {"VERIFY", ESV_PROTOCOL_MUST, esv_protocol_verify},
    {"LIST", ESV_PROTOCOL_NO_ARGUMENT, esv_protocol_list},   {"WIPE", ESV_PROTOCOL_MAY, esv_protocol_wipe},
    {"THRESHOLD", ESV_PROTOCOL_MAY, esv_protocol_threshold},
};

/* ---- lines ---- */

/* answer: what follows "OK", or null. */
static void esv_protocol_answer(const esv_protocol *self, esv_status status, const char *answer)
{
    esv_text line;
    esv_text_clear(&line);
    esv_text_add(&line, status == ESV_OK ? "OK" : "ERROR -");
    if (status != ESV_OK) {
        esv_text_add_unsigned(&line, (uint32_t)-status);
        esv_text_add(&line, " ");
    }
    esv_text_add(&line, status == ESV_OK ? answer : esv_status_text(status));
    self->port->write_line(self->port->context, line.text);
}

/* Runs the command in self->line and answers it. */
static void esv_protocol_execute(esv_protocol *self)
{
    char *argument = esv_text_split(self->line);
    esv_text answer;
    esv_text_clear(&answer);
    esv_status status = ESV_ERR_COMMAND;
    for (size_t i = 0; i < sizeof esv_protocol_commands / sizeof esv_protocol_commands[0]; ++i) {
        const esv_protocol_entry *entry = &esv_protocol_commands[i];
        const uint8_t refused = argument == NULL ? ESV_PROTOCOL_MUST : ESV_PROTOCOL_NO_ARGUMENT;
        if (esv_text_equals(self->line, entry->name) && entry->argument != refused) {
            status = entry->run(self, argument, &answer);
        }
    }
    if (self->mode == ESV_PROTOCOL_COMMAND) {
        esv_protocol_answer(self, status, answer.text);
    }
}

/* Feeds the samples that wait. */
static void esv_protocol_flush(esv_protocol *self)
{
    if (self->status == ESV_OK && self->samples > 0) {
        self->status = esv_feed(self->device, self->pcm, self->samples);
    }
    self->samples = 0;
}

static void esv_protocol_take_byte(esv_protocol *self, uint8_t byte)
{
    if (!self->half) {
        self->pcm[self->samples] = (int16_t)byte;
    } else {
        const uint16_t word = (uint16_t)((uint16_t)self->pcm[self->samples] | (uint16_t)(byte << 8));
        memcpy(&self->pcm[self->samples], &word, sizeof word);
        if (++self->samples == ESV_PROTOCOL_SAMPLES) {
            esv_protocol_flush(self);
        }
    }
    self->half = !self->half;
}

/* Begins a new line. */
static void esv_protocol_reset(esv_protocol *self)
{
    self->mode = ESV_PROTOCOL_COMMAND;
    self->status = ESV_OK;
    self->length = 0;
    self->samples = 0;
    self->half = false;
    memset(&self->base64, 0, sizeof self->base64);
}

/* Ends a line or frame of samples and answers it. */
static void esv_protocol_end_samples(esv_protocol *self)
{
    esv_protocol_flush(self);
    self->spoiled = self->spoiled || self->status != ESV_OK;
    esv_protocol_answer(self, self->status, "");
    esv_protocol_reset(self);
}

static void esv_protocol_end_line(esv_protocol *self)
{
    if (self->mode == ESV_PROTOCOL_PCM) {
        if (self->status == ESV_OK && (self->half || !esv_base64_is_whole(&self->base64))) {
            self->status = ESV_ERR_PCM;
        }
        esv_protocol_end_samples(self);
        return;
    }
    if (self->status != ESV_OK) {
        esv_protocol_answer(self, self->status, "");
    } else if (self->length > 0) {
        self->line[self->length] = 0;
        esv_protocol_execute(self);
    }
    if (self->mode == ESV_PROTOCOL_COMMAND) {
        esv_protocol_reset(self);
    }
}

static void esv_protocol_take_base64(esv_protocol *self, char letter)
{
    uint8_t bytes[3];
    const int count = self->status == ESV_OK ? esv_base64_push(&self->base64, letter, bytes) : 0;
    if (count < 0) {
        self->status = ESV_ERR_PCM;
    }
    for (int i = 0; i < count; ++i) {
        esv_protocol_take_byte(self, bytes[i]);
    }
}

static void esv_protocol_take_letter(esv_protocol *self, uint8_t letter)
{
    if (letter == '\n') {
        esv_protocol_end_line(self);
    } else if (letter == '\r') {
        return; /* hosts end lines with either */
    } else if (self->mode == ESV_PROTOCOL_PCM) {
        esv_protocol_take_base64(self, (char)letter);
    } else if (letter < ' ' || letter == 0x7f || self->length + 1u >= ESV_PROTOCOL_LINE_BYTES) {
        self->status = ESV_ERR_LINE;
    } else {
        memcpy(&self->line[self->length++], &letter, 1);
        if (self->length == 4 && memcmp(self->line, "PCM ", 4) == 0 && self->status == ESV_OK) {
            self->mode = ESV_PROTOCOL_PCM;
        }
    }
}

esv_status esv_protocol_init(esv_protocol *self, esv *device, const esv_port *port)
{
    if (self == NULL || device == NULL || port == NULL || port->write_line == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    memset(self, 0, sizeof *self);
    self->device = device;
    self->port = port;
    return ESV_OK;
}

void esv_protocol_receive(esv_protocol *self, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        if (self->mode != ESV_PROTOCOL_DATA) {
            esv_protocol_take_letter(self, bytes[i]);
            continue;
        }
        esv_protocol_take_byte(self, bytes[i]);
        if (--self->left == 0) {
            esv_protocol_end_samples(self);
        }
    }
}
